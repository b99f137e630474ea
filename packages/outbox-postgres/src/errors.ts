/** Every error of the outbox, with what to do about it. A code is never reused. */
export const outboxErrors = {
  OUTBOX_INVALID_OPTIONS: 'correct the option named',
  OUTBOX_NOT_A_TRANSACTION: 'give the client or the kysely transaction that the rest of the change is made in',
  OUTBOX_NOT_MIGRATED: 'run migrateOutbox, or the SQL that outboxSql gives, on this database',
  OUTBOX_NEWER_FORMAT: 'upgrade @malha/outbox-postgres: a newer release has migrated this database',
  OUTBOX_UNREADABLE_ROW: 'find who wrote the row by hand; its message is no prepared event',
} as const

export type OutboxErrorCode = keyof typeof outboxErrors

/** An error of the outbox: a stable code, then what happened, to what, and what to do next. Never carries a secret. */
export class OutboxError extends Error {
  override readonly name = 'OutboxError'
  readonly code: OutboxErrorCode

  constructor(code: OutboxErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}; ${outboxErrors[code]}`, options)
    this.code = code
  }
}

/** The message of anything thrown, one line, fit for a log field, a column or a reason in `/readyz`. */
export function reasonOf(error: unknown): string {
  // Node's connection errors to several addresses come as an AggregateError with an empty message.
  if (error instanceof AggregateError && error.message === '' && error.errors.length > 0)
    return reasonOf(error.errors[0])
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.replaceAll(/\s+/g, ' ').slice(0, 500).toWellFormed()
}

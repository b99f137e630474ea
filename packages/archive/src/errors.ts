/** Every error of the archive, with what to do about it. A code is never reused. */
export const archiveErrors = {
  ARCHIVE_INVALID_OPTIONS: 'correct the option named',
  ARCHIVE_MIGRATION_CHANGED: 'restore the migration file as it was applied and put the change into a new one',
  ARCHIVE_MIGRATION_INVALID: 'correct the migration file named',
  ARCHIVE_MIGRATION_FAILED: 'correct the statement; the file is run again from its start',
  ARCHIVE_MIGRATION_LOCKED: 'wait for the other process that migrates, or look why it does not end',
  ARCHIVE_QUERY_REFUSED: 'correct the query; it may only read',
  ARCHIVE_DENIED: 'give this user the right that the message names, or ask as one who has it',
  ARCHIVE_INCOMPLETE: 'wait until the archive has caught up, or do without what neither it nor the stream has',
  ARCHIVE_UNREACHABLE: 'see that ClickHouse runs and that its URL and credentials are right',
  ARCHIVE_LEASE_LOST: 'nothing: another writer has taken the stream over',
  ARCHIVE_STREAM_BEHIND: 'decide which of the two histories counts, as the message says',
} as const

export type ArchiveErrorCode = keyof typeof archiveErrors

/** An error of the archive: a stable code, then what happened, to what, and what to do next. Never carries a secret. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly code: ArchiveErrorCode

  constructor(code: ArchiveErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.code = code
  }
}

/** What a user is told who lacks rights in ClickHouse, or is not known there. */
export const deniedByClickHouse = (cause: unknown, host: string): ArchiveError =>
  new ArchiveError(
    'ARCHIVE_DENIED',
    `ClickHouse at ${host} refuses this user: ${reasonOf(cause).replace(/[.\s]+$/, '')}; put one who may into its URL, or grant him that (to look takes SELECT on archive.*)`,
    { cause },
  )

/** The message of anything thrown, one line, fit for a log field or a reason in `/readyz`. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || deepest(error) : String(error)
  return text.replaceAll(/\s+/g, ' ').slice(0, 500).toWellFormed()
}

// Node's connection errors to several addresses come as an AggregateError with an empty message.
function deepest(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return error.cause === undefined ? error.name : reasonOf(error.cause)
}

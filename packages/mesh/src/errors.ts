/**
 * What the mesh does with a message whose handling ended in an error:
 * `retry` it, write it as a dead letter (`terminal`), or nothing because no message is concerned (`refuse`: the caller is told).
 */
export type Disposition = 'retry' | 'terminal' | 'refuse'

/** Every error of the library. A code is never reused. Each has a section in docs/reference/errors.md. */
export const meshErrors = {
  MESH_INVALID_OPTIONS: 'refuse',
  MESH_INVALID_CONTRACT: 'refuse',
  MESH_INVALID_SERVICE: 'refuse',
  MESH_INVALID_PAYLOAD: 'terminal',
  MESH_INVALID_KEY: 'terminal',
  MESH_INVALID_HEADER: 'terminal',
  MESH_INVALID_DELAY: 'terminal',
  MESH_PAYLOAD_TOO_LARGE: 'terminal',
  MESH_CONNECT_FAILED: 'refuse',
  MESH_AUTH_FAILED: 'refuse',
  MESH_SERVER_TOO_OLD: 'refuse',
  MESH_JETSTREAM_OFF: 'refuse',
  MESH_TOPOLOGY: 'refuse',
  MESH_CLOSED: 'retry',
  MESH_NO_STREAM: 'retry',
  MESH_STREAM_FULL: 'retry',
  MESH_PUBLISH_TIMEOUT: 'retry',
  MESH_PUBLISH_REFUSED: 'retry',
  MESH_SPOOL_IN_USE: 'refuse',
  MESH_SPOOL_UNUSABLE: 'refuse',
  MESH_SPOOL_FULL: 'retry',
  MESH_SPOOL_FAILED: 'retry',
  MESH_ID_CONFLICT: 'terminal',
  MESH_ONCE_CONFLICT: 'terminal',
  MESH_EXPECTATION_FAILED: 'retry',
  MESH_INVALID_BATCH: 'terminal',
  MESH_INBOX_AWAY: 'retry',
  MESH_RECORD_AWAY: 'retry',
  MESH_UNDECODABLE: 'terminal',
  MESH_UNKNOWN_TYPE: 'terminal',
  MESH_SCHEMA_MISMATCH: 'terminal',
  MESH_NEWER_VERSION: 'retry',
  MESH_KEY_CHANGED: 'terminal',
  MESH_HANDLER_TIMEOUT: 'retry',
  MESH_HANDLER_LEAKED: 'refuse',
  MESH_CRASHED: 'terminal',
  MESH_PARTITION_LOST: 'retry',
  MESH_REJECTED: 'terminal',
  MESH_RETRY_AFTER: 'retry',
  MESH_RETRIES_EXHAUSTED: 'terminal',
  MESH_EXPIRED: 'terminal',
  MESH_NO_RESPONDER: 'retry',
  MESH_REQUEST_TIMEOUT: 'retry',
  MESH_REQUEST_FAILED: 'retry',
  MESH_BUSY: 'retry',
  MESH_REPLY_TOO_LARGE: 'terminal',
  MESH_REPLY_BROKEN: 'retry',
} as const

export type MeshErrorCode = keyof typeof meshErrors

/** An error of the library: a stable code, then what happened, to what, and what to do next. Never carries a secret. */
export class MeshError extends Error {
  override readonly name: string = 'MeshError'
  readonly code: MeshErrorCode

  constructor(code: MeshErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.code = code
  }

  get disposition(): Disposition {
    const table: Record<MeshErrorCode, Disposition> = meshErrors
    return table[this.code]
  }
}

/** Thrown in a handler: this message can never succeed. It becomes a dead letter at once, with `why` as its reason. */
export class Reject extends MeshError {
  override readonly name = 'Reject'

  constructor(why: string, options?: ErrorOptions) {
    super('MESH_REJECTED', why, options)
  }
}

/**
 * Thrown in a handler: the other side named the time to come back (`Retry-After`). The handler starts nothing new for
 * `delayMs` (a day at most); the message is retried then. It counts neither as a failed call for the breaker nor towards `retry.attempts`.
 */
export class RetryAfter extends MeshError {
  override readonly name = 'RetryAfter'
  readonly delayMs: number

  constructor(delayMs: number, why: string = `the other side asked to wait ${delayMs} ms`, options?: ErrorOptions) {
    super('MESH_RETRY_AFTER', why, options)
    this.delayMs = Number.isFinite(delayMs) ? Math.min(Math.max(0, delayMs), DAY_MS) : 0
  }
}

/** Every responder of a request works on as many as it can. The request was not begun. */
export class Busy extends MeshError {
  override readonly name = 'Busy'
  /** After this it is worth asking again, ms. */
  readonly retryAfterMs: number

  constructor(retryAfterMs: number, why: string) {
    super('MESH_BUSY', why)
    this.retryAfterMs = retryAfterMs
  }
}

const DAY_MS = 86_400_000

/** Many faults found at once, one line each. */
export function faultsError(code: MeshErrorCode, what: string, faults: readonly string[]): MeshError {
  const lines = faults.map((fault) => `\n  - ${fault}`).join('')
  return new MeshError(code, `${what}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}${lines}`)
}

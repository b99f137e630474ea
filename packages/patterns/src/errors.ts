import type { Disposition } from '@malha/mesh'

/**
 * Every error of the package, with what becomes of a message whose handling ended in it. A code is never reused. Each
 * has a section in docs/reference/errors.md.
 */
export const patternsErrors = {
  PATTERNS_INVALID_DEFINITION: 'refuse',
  PATTERNS_INVALID_STEP: 'terminal',
  PATTERNS_STATE_TOO_LARGE: 'terminal',
  PATTERNS_SAGA_NOT_BEGUN: 'terminal',
  PATTERNS_SAGA_WAITS: 'retry',
  PATTERNS_SAGA_BEGAN_BEFORE: 'terminal',
  PATTERNS_SAGA_TOO_LATE: 'terminal',
  PATTERNS_AGGREGATE_GAP: 'terminal',
  PATTERNS_UNKNOWN_EVENT: 'retry',
  PATTERNS_PROJECTION_GAP: 'refuse',
  PATTERNS_PROJECTION_NOT_LIVE: 'retry',
  PATTERNS_PROJECTION_REMOVED: 'refuse',
  PATTERNS_CONFLICT: 'retry',
  PATTERNS_NEWER_FORMAT: 'retry',
  PATTERNS_UNREADABLE_RECORD: 'retry',
  PATTERNS_STORE_UNAVAILABLE: 'retry',
} as const

export type PatternsErrorCode = keyof typeof patternsErrors

/**
 * An error of the package: a stable code, then what happened, to what, and what to do next. Never carries a secret. The
 * mesh reads `disposition`: a message whose handling ended in a `terminal` one is a dead letter under `code`.
 */
export class PatternsError extends Error {
  override readonly name = 'PatternsError'
  readonly code: PatternsErrorCode

  constructor(code: PatternsErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.code = code
  }

  get disposition(): Disposition {
    const table: Record<PatternsErrorCode, Disposition> = patternsErrors
    return table[this.code]
  }
}

/** Many faults found at once, one line each. */
export function faultsError(what: string, faults: readonly string[]): PatternsError {
  const lines = faults.map((fault) => `\n  - ${fault}`).join('')
  return new PatternsError(
    'PATTERNS_INVALID_DEFINITION',
    `${what}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}${lines}`,
  )
}

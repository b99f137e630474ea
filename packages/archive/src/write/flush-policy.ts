/** What decides when rows are inserted. */
export type FlushState = {
  readonly isFull: boolean
  /** Nothing more is on its way from the stream. */
  readonly caughtUp: boolean
  readonly oldestAtMs: number
  readonly lastInsertAtMs: number
}

export type FlushTimes = {
  /** Longest a row waits for company, ms. */
  readonly flushMs: number
  /** Shortest time between two inserts that are not full, ms: each one is a part ClickHouse has to merge. */
  readonly paceMs: number
}

/**
 * When the next insert is due, ms since 1970. A full batch at once; a lone event after a quiet time at once too; a trickle
 * every `paceMs`; a stream still being read up to a full batch, `flushMs` at most.
 */
export function dueAtMs(state: FlushState, times: FlushTimes): number {
  if (state.isFull) return 0
  const byAge = state.oldestAtMs + times.flushMs
  return state.caughtUp ? Math.min(byAge, state.lastInsertAtMs + times.paceMs) : byAge
}

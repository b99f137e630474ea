/**
 * What a look at a durable and its stream tells: how far the handler is, and what aged out before it got there.
 * Pure, so that it can be tested without a clock.
 */
export type Look = {
  /** Of the stream, read *before* the durable. */
  firstSeq: number
  lastSeq: number
  /** Of the durable. */
  ackFloor: number
  pending: number
  ackPending: number
}

export type Progress = {
  /** All up to this sequence is settled, or is not for this handler. */
  settled: number
  /** Sequences that left the stream before the handler was past them. */
  expired: { from: number; to: number } | undefined
}

/**
 * Without anything pending the handler is past all that the stream held when it was read; otherwise it is past its floor.
 * The floor alone would not do: a filtered durable's floor stays at its last match, however far the stream moves on.
 */
export function progress(settledBefore: number, look: Look): Progress {
  const isPast = Math.max(settledBefore, look.ackFloor)
  const expired = look.firstSeq > isPast + 1 ? { from: isPast + 1, to: look.firstSeq - 1 } : undefined
  const isCaughtUp = look.pending === 0 && look.ackPending === 0
  return { settled: Math.max(isPast, look.firstSeq - 1, isCaughtUp ? look.lastSeq : 0), expired }
}

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
 *
 * What aged out is judged by where the handler was at the look *before*: since then the floor may have jumped over what
 * is gone. Only the first look may trust it, because nothing was delivered yet. So looks must be closer together than
 * events live, or what was handled and aged out in between would be told as lost.
 */
export function progress(settledBefore: number, look: Look, isFirst = false): Progress {
  const base = isFirst ? Math.max(settledBefore, look.ackFloor) : settledBefore
  const expired = look.firstSeq > base + 1 ? { from: base + 1, to: look.firstSeq - 1 } : undefined
  const isCaughtUp = look.pending === 0 && look.ackPending === 0
  return { settled: Math.max(base, look.firstSeq - 1, isCaughtUp ? look.lastSeq : look.ackFloor), expired }
}

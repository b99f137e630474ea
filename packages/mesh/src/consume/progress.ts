/**
 * What a look at a durable and its stream tells: how far the handler is, and what aged out before it got there.
 * Pure, so that it can be tested without a clock.
 */
export type Look = {
  /** The first sequence the stream still has. */
  firstSeq: number
  /** Of the durable: all that is for this handler up to here is acked. */
  ackFloor: number
}

export type Progress = {
  /** All that is for this handler up to this sequence is settled, or told as aged out. */
  settled: number
  /** Sequences that left the stream before the handler was past them. */
  expired: Range | undefined
}

/**
 * What aged out is judged by where the handler was at the look *before*, of this instance or another: since then the floor
 * may have jumped over what is gone. So looks must be closer together than events live, or what was handled and aged out
 * in between would be told as lost.
 *
 * A durable's `num_pending` says nothing here: with replicas its leader may know less of the stream than the stream's.
 */
export function progress(settledBefore: number, look: Look): Progress {
  const expired = look.firstSeq > settledBefore + 1 ? { from: settledBefore + 1, to: look.firstSeq - 1 } : undefined
  return { settled: Math.max(settledBefore, look.firstSeq - 1, look.ackFloor), expired }
}

/** Sequences of a stream, both ends included. */
export type Range = { from: number; to: number }

/** The same sequences in as few ranges as may be: durables of one handler miss the same part of a stream. */
export function united(ranges: readonly Range[]): Range[] {
  const all: Range[] = []
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = all.at(-1)
    if (last && range.from <= last.to + 1) last.to = Math.max(last.to, range.to)
    else all.push({ ...range })
  }
  return all
}

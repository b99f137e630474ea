/** A committed entry, without its bytes. */
export type Slot = {
  readonly seq: number
  readonly bytes: number
  /** Unix ms. */
  readonly queuedAt: number
}

/** What is committed, by stream and in order. */
export class Queues {
  readonly #queues = new Map<string, Slot[]>()

  push(stream: string, slot: Slot): void {
    const queue = this.#queues.get(stream)
    if (queue) queue.push(slot)
    else this.#queues.set(stream, [slot])
  }

  holds(stream: string): boolean {
    return (this.#queues.get(stream)?.length ?? 0) > 0
  }

  /** By stream; 0 for one that held entries before. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.#queues].map(([stream, queue]) => [stream, queue.length]))
  }

  get size(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0)
  }

  /** Streams with entries. */
  streams(): string[] {
    return [...this.#queues].filter(([, queue]) => queue.length > 0).map(([stream]) => stream)
  }

  /** Unix ms; undefined when nothing is queued. */
  oldestAt(): number | undefined {
    const heads = [...this.#queues.values()].flatMap(([head]) => (head ? [head.queuedAt] : []))
    return heads.length > 0 ? Math.min(...heads) : undefined
  }

  /** The first of a stream, at most `count` and, but for the first, `bytes`. */
  first(stream: string, { count, bytes }: { count: number; bytes: number }): Slot[] {
    const slots = (this.#queues.get(stream) ?? []).slice(0, count)
    let left = bytes
    const end = slots.findIndex((slot) => (left -= slot.bytes) < 0)
    if (end >= 0) slots.splice(Math.max(1, end))
    return slots
  }

  /** Entries leave from the head. Returns their bytes. */
  remove(stream: string, seqs: ReadonlySet<number>): number {
    const queue = this.#queues.get(stream) ?? []
    const end = queue.findIndex(({ seq }) => !seqs.has(seq))
    const gone = queue.splice(0, end < 0 ? queue.length : end)
    return gone.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}

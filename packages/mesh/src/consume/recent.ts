/**
 * Remembers at least the last `size` messages: what was settled here lately, so that a redelivery after a lost ack does not
 * run again. By numbers, because texts would live long and make collecting garbage dear; in two halves, because dropping
 * the oldest of one map walks over all that were dropped before it.
 */
export class Recent {
  readonly #size: number
  /** When the message of a sequence was stored. */
  #latest = new Map<number, number>()
  #older = new Map<number, number>()

  constructor(size: number) {
    this.#size = size
  }

  add(seq: number, storedUs: number): void {
    this.#latest.set(seq, storedUs)
    if (this.#latest.size < this.#size) return
    this.#older = this.#latest
    this.#latest = new Map()
  }

  has(seq: number, storedUs: number): boolean {
    return this.#latest.get(seq) === storedUs || this.#older.get(seq) === storedUs
  }

  clear(): void {
    this.#latest.clear()
    this.#older.clear()
  }
}

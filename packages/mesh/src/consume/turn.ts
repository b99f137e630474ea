/** How long what ends at once may keep everything else waiting, ms: acks, heartbeats, other handlers, HTTP. */
const TURN_MS = 10

/**
 * Bounds what is done in one turn of the event loop. What ends at once is started one after the other, so without a bound
 * nothing else would be done before the last of what is here, not even an ack.
 */
export class Turn {
  readonly #onNext: () => void
  #leftMs = TURN_MS
  #isUnderWay = false

  /** `onNext` is called in a later turn where time ran out in this one. */
  constructor(onNext: () => void) {
    this.#onNext = onNext
  }

  get hasTime(): boolean {
    return this.#leftMs > 0
  }

  /** So much of this turn was used. */
  spend(ms: number): void {
    this.#leftMs -= ms
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    setImmediate(() => this.#end())
  }

  #end(): void {
    const wasUsedUp = !this.hasTime
    this.#isUnderWay = false
    this.#leftMs = TURN_MS
    if (wasUsedUp) this.#onNext()
  }
}

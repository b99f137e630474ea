/** How long starting messages may keep everything else waiting, ms: acks, heartbeats, other handlers, HTTP. */
const TURN_MS = 10

/**
 * Bounds what is done in one turn of the event loop. What ends at once is started one after the other, so without a bound
 * nothing else would be done before the last of what is here, not even an ack.
 */
export class Turn {
  readonly #onNext: () => void
  #endsAt = 0
  #next: NodeJS.Immediate | undefined

  /** `onNext` is called in a later turn where time ran out in this one. */
  constructor(onNext: () => void) {
    this.#onNext = onNext
  }

  hasTime(): boolean {
    const now = performance.now()
    if (this.#next === undefined) this.#begin(now)
    return now < this.#endsAt
  }

  #begin(now: number): void {
    this.#endsAt = now + TURN_MS
    this.#next = setImmediate(() => {
      this.#next = undefined
      if (performance.now() >= this.#endsAt) this.#onNext()
    })
  }
}

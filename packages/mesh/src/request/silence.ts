/** A side that is gone is found by what cannot be delivered to it, so there has to be something now and then, ms. */
const MOST_BEAT_MS = 5000

/** Notices when the other side has said nothing for too long. */
export class Silence {
  readonly #idleMs: number
  readonly #timer: NodeJS.Timeout
  #heardAt = performance.now()
  #beatAt = performance.now()

  /** Beats three times in `idleMs`, and every 5 s at least, for as long as the stream lasts. */
  constructor(idleMs: number, onBeat: () => void) {
    this.#idleMs = idleMs
    this.#timer = setInterval(
      () => {
        const now = performance.now()
        // Whoever stood still himself has not listened.
        if (now - this.#beatAt > idleMs) this.#heardAt = now
        this.#beatAt = now
        onBeat()
      },
      Math.min(idleMs / 3, MOST_BEAT_MS),
    )
  }

  get isOver(): boolean {
    return performance.now() - this.#heardAt > this.#idleMs
  }

  heard(): void {
    this.#heardAt = performance.now()
  }

  end(): void {
    clearInterval(this.#timer)
  }
}

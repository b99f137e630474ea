/** Notices when the other side has said nothing for too long. */
export class Silence {
  readonly #idleMs: number
  readonly #timer: NodeJS.Timeout
  #heardAt = performance.now()
  #beatAt = performance.now()

  /** Beats three times in `idleMs`, for as long as the stream lasts. */
  constructor(idleMs: number, onBeat: () => void) {
    this.#idleMs = idleMs
    this.#timer = setInterval(() => {
      const now = performance.now()
      // Whoever stood still himself has not listened.
      if (now - this.#beatAt > idleMs) this.#heardAt = now
      this.#beatAt = now
      onBeat()
    }, idleMs / 3)
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

import type { Party } from './solitude.ts'

const LAST_WORDS_MS = 2000

/** The slots of a handler: how many attempts run, are being concluded, never came back; and when none is left to wait for. */
export class Slots {
  #size: number
  #most: number
  readonly #onChange: (running: number) => void
  #running = 0
  #leaked = 0
  #concluding = 0
  #waiters: (() => void)[] = []

  constructor(size: number, onChange: (running: number) => void) {
    this.#size = size
    this.#most = size
    this.#onChange = onChange
  }

  /** More may start at once; or fewer, as soon as those that run have come back. */
  resize(size: number): void {
    this.#most = this.#most === this.#size ? size : this.#most
    this.#size = size
  }

  /** As one that can be asked to be still; `onResume` is called when it may go on. */
  party(onResume: () => void): Party {
    return {
      hold: () => {
        this.#most = 0
      },
      idle: () => this.#untilIdle(),
      resume: () => {
        this.#most = this.#size
        onResume()
      },
    }
  }

  get isFull(): boolean {
    return this.#running >= this.#most
  }

  /** Attempts that run, and those that never came back. */
  get counts(): { running: number; leaked: number } {
    return { running: this.#running - this.#leaked, leaked: this.#leaked }
  }

  get leaked(): number {
    return this.#leaked
  }

  take(): void {
    this.#running++
  }

  /** Says how many run; of what is over at once nobody would see that it ran. */
  show(): void {
    this.#onChange(this.#running)
  }

  /** Its attempt came back: the slot is free, but its message is not settled yet. */
  conclude(): void {
    this.#concluding++
    this.#running--
  }

  /** Its message is settled, or waits. */
  free(): void {
    this.#concluding--
    this.#tell()
  }

  /** Its attempt never came back: the slot stays taken. */
  leak(): void {
    this.#leaked++
    this.#tell()
  }

  /**
   * Resolves when nothing is being done that may still come to an end. After `drainMs` it calls `onLate`, which may hurry
   * what is left, and 2 s later it resolves whatever is left.
   */
  async drain(drainMs: number, onLate: () => void): Promise<void> {
    if (this.#isIdle()) return
    const idle = Promise.withResolvers<void>()
    this.#waiters.push(idle.resolve)
    const late = setTimeout(onLate, drainMs)
    const last = setTimeout(idle.resolve, drainMs + LAST_WORDS_MS)
    await idle.promise
    clearTimeout(late)
    clearTimeout(last)
  }

  async #untilIdle(): Promise<void> {
    if (this.#isIdle()) return
    const idle = Promise.withResolvers<void>()
    this.#waiters.push(idle.resolve)
    await idle.promise
  }

  #isIdle(): boolean {
    return this.#running === this.#leaked && this.#concluding === 0
  }

  #tell(): void {
    if (this.#waiters.length > 0 && this.#isIdle()) for (const resolve of this.#waiters.splice(0)) resolve()
  }
}

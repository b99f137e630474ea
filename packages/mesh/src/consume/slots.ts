/** The slots of a handler: how many attempts run, how many never came back, and when none is left to wait for. */
export class Slots {
  readonly #size: number
  readonly #onChange: (running: number) => void
  #running = 0
  #leaked = 0
  #waiters: (() => void)[] = []

  constructor(size: number, onChange: (running: number) => void) {
    this.#size = size
    this.#onChange = onChange
  }

  get isFull(): boolean {
    return this.#running >= this.#size
  }

  get leaked(): number {
    return this.#leaked
  }

  take(): void {
    this.#running++
    this.#onChange(this.#running)
  }

  free(): void {
    this.#running--
    this.#onChange(this.#running)
    this.#tell()
  }

  /** Its attempt never came back: the slot stays taken. */
  leak(): void {
    this.#leaked++
    this.#tell()
  }

  /** Resolves when no attempt runs that may still come back. */
  whenIdle(): Promise<void> {
    if (this.#running === this.#leaked) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #tell(): void {
    if (this.#running === this.#leaked) for (const resolve of this.#waiters.splice(0)) resolve()
  }
}

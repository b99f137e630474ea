import { within } from './within.ts'

/** Lets others wait until nothing is left to wait for. */
export class IdleWatch {
  readonly #isIdle: () => boolean
  readonly #waiting: (() => void)[] = []

  constructor(isIdle: () => boolean) {
    this.#isIdle = isIdle
  }

  /** For whoever changed something that counts. */
  look(): void {
    if (this.#isIdle()) for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when it is idle, or after `ms`. */
  async untilIdle(ms: number): Promise<void> {
    if (this.#isIdle()) return
    await within(new Promise<void>((resolve) => this.#waiting.push(resolve)), ms)
  }
}

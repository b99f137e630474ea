/** How many calls run, and who waits until none does. */
export class RunningCalls {
  #running = 0
  #idle: (() => void)[] = []

  begin(): void {
    this.#running++
  }

  end(): void {
    this.#running--
    this.#tell()
  }

  /** Those that run count no more. */
  forget(): void {
    this.#running = 0
    this.#tell()
  }

  /** Resolves when none runs. */
  async untilIdle(): Promise<void> {
    if (this.#running === 0) return
    const turn = Promise.withResolvers<void>()
    this.#idle.push(turn.resolve)
    await turn.promise
  }

  #tell(): void {
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

/** Waits that can be cut short, and whose reasons are kept until they are asked for. */
export class WakeUp {
  readonly #streams = new Set<string>()
  #isCalled = false
  #stop: (() => void) | undefined

  /** Ends a wait. @param stream got a row */
  call(stream?: string): void {
    if (stream !== undefined) this.#streams.add(stream)
    this.#isCalled = true
    this.#stop?.()
  }

  /** Streams that got a row since it was asked for last. */
  taken(): string[] {
    this.#isCalled = false
    const streams = [...this.#streams]
    this.#streams.clear()
    return streams
  }

  /** Resolves after `ms`, or at the first call since `taken()`. */
  async wait(ms: number): Promise<void> {
    if (this.#isCalled) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, 2 ** 31 - 1))
      this.#stop = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#stop = undefined
  }
}

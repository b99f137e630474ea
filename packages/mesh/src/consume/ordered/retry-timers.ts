const LONGEST_TIMER_MS = 2 ** 31 - 1

/** When each of those that wait may go on. */
export class RetryTimers<Waiting> {
  readonly #onDue: (waiting: Waiting) => void
  readonly #timers = new Map<Waiting, { timer: NodeJS.Timeout; dueAt: number }>()

  constructor(onDue: (waiting: Waiting) => void) {
    this.#onDue = onDue
  }

  /** In place of what was set before for the same one. */
  set(waiting: Waiting, delayMs: number): void {
    clearTimeout(this.#timers.get(waiting)?.timer)
    const onDue = (): void => {
      this.#timers.delete(waiting)
      this.#onDue(waiting)
    }
    const timer = setTimeout(onDue, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS))
    this.#timers.set(waiting, { timer, dueAt: performance.now() + delayMs })
  }

  /** Makes the first `most` due over `rampMs`, none later than it would have been. Returns whether there was any. */
  hasten(rampMs: number, most: number): boolean {
    const waiting = [...this.#timers].slice(0, most)
    for (const [index, [one, { dueAt }]] of waiting.entries())
      this.set(one, Math.min(dueAt - performance.now(), (rampMs * index) / waiting.length))
    return waiting.length > 0
  }

  clear(): void {
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
}

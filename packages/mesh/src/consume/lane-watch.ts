import type { Logger } from '../observe/logger.ts'

export type LaneWatchOptions = {
  log: Logger
  labels: { service: string; handler: string }
  /** Makes the durable on the lane again where it is missing. */
  restore: () => Promise<unknown>
}

/** Looks after a handler that has a lane and nothing else: that its durable is there. */
export class LaneWatch {
  readonly #options: LaneWatchOptions
  #doubt: string | undefined
  #fault: string | undefined
  #busy = false

  constructor(options: LaneWatchOptions) {
    this.#options = options
  }

  /** It has no events that could wait or age out. */
  get gauges(): undefined {
    return undefined
  }

  /** Why the handler cannot work, for readiness. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** There is a sign that the durable is gone: look now. */
  doubt(why: string): void {
    this.#doubt = why
    void this.look()
  }

  /** Never throws; whoever pulls doubts again. */
  async look(): Promise<void> {
    if (this.#busy || this.#doubt === undefined) return
    this.#busy = true
    const { log, labels, restore } = this.#options
    try {
      await restore()
      this.#doubt = this.#fault = undefined
    } catch (error) {
      this.#fault = `handler ${labels.handler}: its lane: ${error instanceof Error ? error.message : String(error)}`
      log.warn({ ...labels, err: error }, 'the lane cannot be looked at; trying again')
    } finally {
      this.#busy = false
    }
  }

  async stop(): Promise<void> {}
}

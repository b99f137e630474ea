import { setImmediate as nextTurn } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'

export type RepeatedLookOptions = {
  nc: NatsConnection
  /** Whoever has something says so; a word that was lost costs this. */
  everyMs: number
  /** Never rejects. */
  look: () => Promise<void>
}

/** Looks from time to time and when asked to, never twice at once; who asks while it looks has it look once more. */
export class RepeatedLook {
  readonly #options: RepeatedLookOptions
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #mustLook = false

  constructor(options: RepeatedLookOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.now(), this.#options.everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Settles once nobody asks any more. Never rejects. */
  now(): Promise<void> {
    this.#mustLook = true
    return (this.#looking ??= this.#looks().finally(() => {
      this.#looking = undefined
    }))
  }

  async #looks(): Promise<void> {
    const { nc, look } = this.#options
    while (this.#mustLook && !nc.isClosed() && !nc.isDraining()) {
      // Who has just taken a partition says so before it is among those.
      await nextTurn()
      this.#mustLook = false
      await look()
    }
  }
}

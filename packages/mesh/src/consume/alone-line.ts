import { setTimeout as sleep } from 'node:timers/promises'
import type { Solitude } from './solitude.ts'

/** When nothing of it may begin now. */
const AGAIN_MS = 1000

export type AloneLinePort<T> = {
  /** Resolves when others may run again; must not reject. */
  onTurn: (one: T) => Promise<void>
  /** Whether one may begin at all: others are not kept still for nothing. */
  isOpen: () => boolean
}

/** What waits to run while nothing else of this process does: first what has been found to end a process least often. */
export class AloneLine<T extends { readonly crashes: number }> {
  readonly #solitude: Solitude
  readonly #port: AloneLinePort<T>
  #waiting: T[] = []
  #isTaking = false

  constructor(solitude: Solitude, port: AloneLinePort<T>) {
    this.#solitude = solitude
    this.#port = port
  }

  get length(): number {
    return this.#waiting.length
  }

  add(one: T): void {
    this.#waiting.push(one)
    this.#waiting.sort((a, b) => a.crashes - b.crashes)
    if (!this.#isTaking) void this.#takeTurns()
  }

  takeAll(): T[] {
    return this.#waiting.splice(0)
  }

  async #takeTurns(): Promise<void> {
    this.#isTaking = true
    while (this.#waiting.length > 0)
      if (this.#port.isOpen()) await this.#solitude.alone(() => this.#takeTurn())
      else await sleep(AGAIN_MS, undefined, { ref: false })
    this.#isTaking = false
  }

  async #takeTurn(): Promise<void> {
    const next = this.#waiting.shift()
    if (next) await this.#port.onTurn(next)
  }
}

import type { Delivery } from './delivery.ts'

/** How many messages a process lets wait for a retry; they are unacked, so they count towards `max_ack_pending`. */
export const mostHeld = (concurrency: number): number => Math.max(64, 4 * concurrency)

/** Deliveries that wait in this process for their next attempt. They keep no credit: others are pulled meanwhile. */
export class WaitingRoom {
  readonly #onDue: (delivery: Delivery) => void
  readonly #waiting = new Set<Delivery>()

  /** `onDue` gets each delivery when its time has come, after it has left. */
  constructor(onDue: (delivery: Delivery) => void) {
    this.#onDue = onDue
  }

  get size(): number {
    return this.#waiting.size
  }

  hold(delivery: Delivery, delayMs: number): void {
    this.#waiting.add(delivery)
    const timer = setTimeout(() => this.wake(delivery), delayMs)
    delivery.phase = { kind: 'held', timer, dueAt: performance.now() + delayMs }
  }

  /** Makes one due now. */
  wake(delivery: Delivery): void {
    if (this.#leave(delivery) !== undefined) this.#onDue(delivery)
  }

  /** The one that came first, still waiting. */
  first(): Delivery | undefined {
    return this.#waiting.values().next().value
  }

  /** Makes all due over `rampMs`, none later than it would have been. */
  ramp(rampMs: number): void {
    const all = [...this.#waiting]
    for (const [index, delivery] of all.entries()) {
      const remaining = this.#leave(delivery)
      if (remaining !== undefined) this.hold(delivery, Math.min(remaining, (rampMs * index) / all.length))
    }
  }

  /** Empties the room: each with the time it had still to wait, ms. */
  takeAll(): { delivery: Delivery; delayMs: number }[] {
    return [...this.#waiting].map((delivery) => ({ delivery, delayMs: this.#leave(delivery) ?? 0 }))
  }

  #leave(delivery: Delivery): number | undefined {
    if (!this.#waiting.delete(delivery) || delivery.phase.kind !== 'held') return undefined
    clearTimeout(delivery.phase.timer)
    const remaining = Math.max(0, delivery.phase.dueAt - performance.now())
    delivery.phase = { kind: 'ready' }
    return remaining
  }
}

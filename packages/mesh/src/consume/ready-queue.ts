import { PRIORITIES, type Priority, WEIGHTS } from '../message/priority.ts'
import type { Delivery } from './delivery.ts'

/**
 * Deliveries that wait for a slot, oldest first within a priority. While several priorities wait they share the starts by
 * weight, evenly spread (smooth weighted round robin, as nginx does it), so the least urgent is never starved.
 */
export class ReadyQueue {
  readonly #lanes = new Map(PRIORITIES.map((priority) => [priority, { waiting: [] as Delivery[], credit: 0 }]))
  readonly #priorityOf: (delivery: Delivery) => Priority

  constructor(priorityOf: (delivery: Delivery) => Priority) {
    this.#priorityOf = priorityOf
  }

  get length(): number {
    let sum = 0
    for (const { waiting } of this.#lanes.values()) sum += waiting.length
    return sum
  }

  push(delivery: Delivery): void {
    this.#laneOf(delivery).push(delivery)
  }

  /** Before all others of its priority. */
  unshift(delivery: Delivery): void {
    this.#laneOf(delivery).unshift(delivery)
  }

  shift(): Delivery | undefined {
    let total = 0
    let chosen: { waiting: Delivery[]; credit: number } | undefined
    for (const [priority, lane] of this.#lanes) {
      if (lane.waiting.length === 0) {
        lane.credit = 0
        continue
      }
      total += WEIGHTS[priority]
      lane.credit += WEIGHTS[priority]
      if (!chosen || lane.credit > chosen.credit) chosen = lane
    }
    if (!chosen) return undefined
    chosen.credit -= total
    return chosen.waiting.shift()
  }

  /** Empties it. */
  takeAll(): Delivery[] {
    return [...this.#lanes.values()].flatMap(({ waiting }) => waiting.splice(0))
  }

  #laneOf(delivery: Delivery): Delivery[] {
    return this.#lanes.get(this.#priorityOf(delivery))!.waiting
  }
}

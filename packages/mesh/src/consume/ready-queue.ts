import { PRIORITIES, type Priority, WEIGHTS } from '../message/priority.ts'
import type { Delivery } from './delivery.ts'

/**
 * Deliveries that wait for a slot, oldest first within a priority. While several priorities wait they share the starts by
 * weight, evenly spread (smooth weighted round robin, as nginx does it), so the least urgent is never starved.
 */
export class ReadyQueue {
  readonly #of: Readonly<Record<Priority, Lane>> = { high: lane('high'), normal: lane('normal'), low: lane('low') }
  readonly #lanes = PRIORITIES.map((priority) => this.#of[priority])
  readonly #priorityOf: (delivery: Delivery) => Priority
  #length = 0

  constructor(priorityOf: (delivery: Delivery) => Priority) {
    this.#priorityOf = priorityOf
  }

  get length(): number {
    return this.#length
  }

  push(delivery: Delivery): void {
    this.#length++
    this.#laneOf(delivery).waiting.push(delivery)
  }

  /** Before all others of its priority. */
  unshift(delivery: Delivery): void {
    this.#length++
    this.#laneOf(delivery).waiting.unshift(delivery)
  }

  shift(): Delivery | undefined {
    let total = 0
    let chosen: Lane | undefined
    for (const lane of this.#lanes) {
      if (lane.waiting.length === 0) {
        lane.credit = 0
        continue
      }
      total += lane.weight
      lane.credit += lane.weight
      if (!chosen || lane.credit > chosen.credit) chosen = lane
    }
    if (!chosen) return undefined
    this.#length--
    chosen.credit -= total
    return chosen.waiting.shift()
  }

  /** The first that fits, of the most urgent there are. */
  first(fits: (delivery: Delivery) => boolean): Delivery | undefined {
    for (const { waiting } of this.#lanes) {
      const found = waiting.find(fits)
      if (found) return found
    }
    return undefined
  }

  /** Takes one out of its turn. */
  take(delivery: Delivery): void {
    const { waiting } = this.#laneOf(delivery)
    waiting.splice(waiting.indexOf(delivery), 1)
    this.#length--
  }

  /** Empties it. */
  takeAll(): Delivery[] {
    this.#length = 0
    return this.#lanes.flatMap(({ waiting }) => waiting.splice(0))
  }

  #laneOf(delivery: Delivery): Lane {
    return this.#of[this.#priorityOf(delivery)]
  }
}

type Lane = { weight: number; waiting: Delivery[]; credit: number }

const lane = (priority: Priority): Lane => ({ weight: WEIGHTS[priority], waiting: [], credit: 0 })

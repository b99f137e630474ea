import type { Intake } from './intake.ts'
import type { PullLoop } from './pull-loop.ts'
import { creditsFor, type Limits, type RateLimit } from './rate-limit.ts'
import type { RunnerOptions } from './runner-options.ts'
import { mostHeld } from './waiting-room.ts'

type PullsOptions = Pick<
  RunnerOptions,
  'names' | 'service' | 'handler' | 'stream' | 'durables' | 'def' | 'metrics' | 'labels'
>

/** What a handler is given, from its event stream and from its lane, and how much of it at once: by its limits. */
export class Pulls {
  readonly #options: PullsOptions
  readonly #intake: Intake
  #events: PullLoop[] = []
  #lane: PullLoop | undefined
  #concurrency: number
  #rateLimit: RateLimit | undefined

  constructor(options: PullsOptions, intake: Intake) {
    this.#options = options
    this.#intake = intake
    this.#concurrency = options.def.concurrency
    this.#rateLimit = options.def.rateLimit
    this.#sayLimits()
  }

  get concurrency(): number {
    return this.#concurrency
  }

  get rateLimit(): RateLimit | undefined {
    return this.#rateLimit
  }

  /** How many wait here for a retry at most. The durable has room for what the declaration may hold, not for what `adjust` says. */
  get mostHeld(): number {
    return mostHeld(Math.min(this.#concurrency, this.#options.def.concurrency))
  }

  /** Begins; without `mayPull` nothing is asked for yet. */
  open(mayPull: boolean): void {
    const { names, service, handler, stream, durables } = this.#options
    const { event, lane } = mayPull ? this.#credits() : { event: 0, lane: 0 }
    this.#events = durables.map((durable) => this.#intake.open({ via: 'event', stream, durable, limit: event }))
    const onLane = { stream: names.lanes(service.name), durable: names.durable(service.name, handler) }
    this.#lane = this.#intake.open({ via: 'lane', ...onLane, limit: lane })
  }

  /** Other limits from now on: said, and not yet asked for. */
  adjust({ concurrency = this.#concurrency, rateLimit = this.#rateLimit }: Limits): void {
    this.#concurrency = concurrency
    this.#rateLimit = rateLimit ?? undefined
    this.#sayLimits()
  }

  /** How many are asked for from each; undefined: as many as the limits allow. */
  setLimit(limit: number | undefined): void {
    const { event, lane } = this.#credits()
    for (const loop of this.#events) loop.setLimit(limit ?? event)
    this.#lane?.setLimit(limit ?? lane)
  }

  /** One event beyond those that are here, from each durable; until the next `setLimit`. */
  askForOneEvent(): void {
    for (const loop of this.#events) loop.askForOneMore()
  }

  #credits(): { event: number; lane: number } {
    const event = creditsFor(this.#concurrency, this.#rateLimit, this.#options.durables.length)
    return { event, lane: Math.min(this.#concurrency, event) }
  }

  #sayLimits(): void {
    this.#options.metrics.limits(this.#options.labels, this.#concurrency, this.#rateLimit?.perSecond)
  }
}

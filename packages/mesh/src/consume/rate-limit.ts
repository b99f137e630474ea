import { isObject, isWhole, isWithin, shown } from '../given.ts'

/** How many messages a handler may start, in each process that runs it. */
export type RateLimit = {
  /** On average; may be below 1: 0.1 is one in ten seconds. */
  perSecond: number
  /** How many may start at once after a pause. @default what a tenth of a second allows, at least 1 */
  burst?: number
}

/** What may change while a handler runs. `rateLimit: null` takes the limit away. */
export type Limits = { concurrency?: number; rateLimit?: RateLimit | null }

/** Faults of a rate limit or a concurrency, one sentence each; none when all is well. */
export function limitFaults({
  concurrency,
  rateLimit,
}: {
  concurrency: number | undefined
  rateLimit: RateLimit | undefined
}): string[] {
  const faults: string[] = []
  if (concurrency !== undefined && !isWhole(concurrency, 1, 1000))
    faults.push(`concurrency is ${shown(concurrency)}; 1 to 1000`)
  if (rateLimit === undefined) return faults
  if (!isObject(rateLimit)) return [...faults, `rateLimit is ${shown(rateLimit)}; { perSecond, burst }`]
  const { perSecond, burst = 1 } = rateLimit
  if (!isWithin(perSecond, Number.MIN_VALUE, 1_000_000))
    faults.push(`rateLimit.perSecond is ${shown(perSecond)}; over 0, to 1000000`)
  if (!isWhole(burst, 1)) faults.push(`rateLimit.burst is ${shown(burst)}; a whole number from 1`)
  return faults
}

/** A token bucket: full at first, one token a start. */
export class TokenBucket {
  readonly #perMs: number
  readonly #size: number
  #tokens: number
  #filledAt = performance.now()

  constructor({ perSecond, burst = Math.max(1, Math.ceil(perSecond / 10)) }: RateLimit) {
    this.#perMs = perSecond / 1000
    this.#size = burst
    this.#tokens = burst
  }

  /** Takes a token. 0 when there was one, else the time until there is, ms. */
  take(): number {
    const now = performance.now()
    this.#tokens = Math.min(this.#size, this.#tokens + (now - this.#filledAt) * this.#perMs)
    this.#filledAt = now
    // A millionth is a rounding error of the sum, not a missing part of a token.
    if (this.#tokens < 1 - 1e-6) return (1 - this.#tokens) / this.#perMs
    this.#tokens--
    return 0
  }
}

/**
 * How many messages to have in hand from each of `durables`: enough that a slot never waits for the server, but no more
 * than will start within two seconds, so that another process may have them.
 */
export function creditsFor(concurrency: number, rateLimit: RateLimit | undefined, durables = 1): number {
  const most = 2 * concurrency
  return rateLimit === undefined ? most : Math.min(most, Math.ceil((2 * rateLimit.perSecond) / durables))
}

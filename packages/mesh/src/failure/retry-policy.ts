import { days, minutes } from '../durations.ts'

/** When a failed message is tried again: exponential, with jitter that only lengthens, capped. */
export type RetryPolicy = {
  /** Attempts in all before the message becomes a dead letter. @default Infinity */
  readonly attempts: number
  /** For how long, from the first failure, ms. @default Infinity */
  readonly forMs: number
  /** Delay after the first failure, ms. */
  readonly minDelayMs: number
  /** No delay is longer, ms; jitter included. */
  readonly maxDelayMs: number
  /** Each delay is this much longer than the one before. */
  readonly factor: number
}

/**
 * For days, at most a minute apart: a partner that is away is waited for. It grows slowly, because a partner that fails
 * half of its calls is not away: with doubled delays one message in a thousand would wait for minutes. While a partner
 * really is away the breaker spares it, not the delay.
 */
export const untilBack: RetryPolicy = Object.freeze({
  attempts: Infinity,
  forMs: days(7),
  minDelayMs: 500,
  maxDelayMs: minutes(1),
  factor: 1.25,
})

/** A handler's default: 10 attempts over a few minutes, then a dead letter. */
export const defaultRetry: RetryPolicy = Object.freeze({
  attempts: 10,
  forMs: Infinity,
  minDelayMs: 500,
  maxDelayMs: minutes(1),
  factor: 2,
})

/** A policy of one's own on top of the default: `retry({ attempts: 3 })`. */
export function retry(options: Partial<RetryPolicy>): RetryPolicy {
  return Object.freeze({ ...defaultRetry, ...options })
}

/** The longest a message is retried after its first failure, ms. */
export function horizonOf({ attempts, forMs, maxDelayMs }: RetryPolicy): number {
  return attempts === Infinity ? forMs : Math.min(forMs, attempts * maxDelayMs)
}

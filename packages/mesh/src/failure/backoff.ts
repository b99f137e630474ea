import type { RetryPolicy } from './retry-policy.ts'

/**
 * The delay before the next attempt, ms: exponential, capped; jitter lengthens it by up to a quarter and never shortens
 * it, so a cap still bounds it and two services do not retry in step.
 * @param failures attempts failed so far, from 1
 */
export function backoffMs(policy: RetryPolicy, failures: number, random: () => number = Math.random): number {
  const grown = policy.minDelayMs * policy.factor ** Math.min(failures - 1, 1000)
  const capped = Math.min(policy.maxDelayMs, grown)
  return Math.round(Math.min(policy.maxDelayMs, capped * (1 + random() / 4)))
}

import { backoffMs } from './backoff.ts'
import { classify, type Verdict } from './classify.ts'
import { type RetryPolicy, untilBack } from './retry-policy.ts'

/** What is known of a message when an attempt at it failed. */
export type FailedState = {
  /** Attempts begun, this one included. */
  attempts: number
  /** Failures that count, before this one. */
  failures: number
  /** Of the first failure, by `performance.now()`: a wall clock may jump. Undefined before it. */
  failingSince: number | undefined
}

/** What to do with it. Both carry the counters as they are now. */
export type Decision = Omit<FailedState, 'attempts'> & { verdict: Verdict } & (
    | {
        kind: 'retry'
        delayMs: number
        /** The other side named the time: nothing else is started before it. */ pausesHandler: boolean
      }
    | { kind: 'bury'; code: string; message: string }
  )

export type DecideOptions = {
  policy: RetryPolicy
  /** The breaker's trial: its failure exhausts nothing, since it was made to learn, not because it was due. */
  isProbe: boolean
  /** By `performance.now()`. @default now */
  now?: number
  random?: () => number
}

/** However soon the other side says to come back. */
const LEAST_WAIT_MS = 1000

/** Retry or dead letter, and when. Pure but for its defaults. */
export function decide(error: unknown, before: FailedState, options: DecideOptions): Decision {
  const { isProbe, now = performance.now(), random } = options
  const verdict = classify(error)
  const counted = { failures: before.failures, failingSince: before.failingSince }
  if (verdict.action === 'dead-letter')
    return { ...counted, kind: 'bury', verdict, code: verdict.code, message: verdict.message }
  if (verdict.delayMs !== undefined) {
    // "At once" from a partner in trouble, again and again, must not become a loop.
    const least = Math.min(backoffMs(options.policy, before.attempts, random), LEAST_WAIT_MS)
    return { ...counted, kind: 'retry', verdict, delayMs: Math.max(verdict.delayMs, least), pausesHandler: true }
  }
  // What only time or a release can mend is waited for, whatever the handler's own policy.
  const policy = verdict.isPatient ? untilBack : options.policy
  const failures = before.failures + 1
  const failingSince = before.failingSince ?? now
  const isExhausted = failures >= policy.attempts || now - failingSince >= policy.forMs
  if (isExhausted && !isProbe) {
    const message = `${failures} attempts failed, the last with ${verdict.code}: ${verdict.message}`
    return { failures, failingSince, kind: 'bury', verdict, code: 'MESH_RETRIES_EXHAUSTED', message }
  }
  return {
    failures,
    failingSince,
    kind: 'retry',
    verdict,
    delayMs: backoffMs(policy, failures, random),
    pausesHandler: false,
  }
}

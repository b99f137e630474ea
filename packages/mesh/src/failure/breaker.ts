import { circuitBreaker, CircuitState, DelegateBackoff, handleWhen, type IBreaker, SamplingBreaker } from 'cockatiel'
import { RetryAfter } from '../errors.ts'
import type { Maybe } from '../maybe.ts'
import { classify, isConnectionRefused } from './classify.ts'

export type BreakerState = 'closed' | 'half-open' | 'open'

/** How a breaker stands; times by `performance.now()`. `openSince` counts failed probes in. */
export type BreakerReading = { state: BreakerState; openSince: number | undefined; probeAt: number | undefined }

export type BreakerOptions = {
  onState: (state: BreakerState) => void
  /** It is time to try one message. */
  onProbe: () => void
}

/** The breaker was open, so the handler was not called. */
export class NotTried extends Error {
  override readonly name = 'NotTried'
}

const PROBE_MIN_MS = 1000
const PROBE_MAX_MS = 5000

/**
 * The breaker of one handler, by cockatiel: opens above 80 % failures of at least 20 calls in 10 s, or after 10 refused
 * connections in a row; tries one message after 1 s, 2 s, 4 s, then every 5 s; closes when that one succeeds.
 */
export class HandlerBreaker {
  readonly #breaker = new RefusedOrSampled()
  readonly #policy
  readonly #options: BreakerOptions
  #probe: NodeJS.Timeout | undefined
  #probeAt = 0
  #openSince: number | undefined
  #probeMs = PROBE_MIN_MS

  constructor(options: BreakerOptions) {
    this.#options = options
    const counted = handleWhen((error) => {
      // Of a batch that failed: a probe in it must not close the breaker.
      if (error instanceof NotTried) return this.state === 'half-open'
      // A probe that is asked to come back later did not find the other side well.
      const isFailure = classify(error).counts || (this.state === 'half-open' && error instanceof RetryAfter)
      if (isFailure) this.#breaker.expect(isConnectionRefused(error))
      return isFailure
    })
    this.#policy = circuitBreaker(counted, {
      breaker: this.#breaker,
      halfOpenAfter: new DelegateBackoff(() => this.#probeMs),
    })
    this.#policy.onStateChange((state) => this.#onState(state))
  }

  get state(): BreakerState {
    if (this.#policy.state === CircuitState.Closed) return 'closed'
    return this.#policy.state === CircuitState.HalfOpen ? 'half-open' : 'open'
  }

  /**
   * Runs one attempt, with what it is given, and takes its outcome into account. While it is closed, an attempt that succeeds at once is only
   * counted: the policy's way takes a promise for each step.
   * @throws what `attempt` throws; NotTried where it was not called
   */
  execute<T, A = void>(attempt: (given: A) => Maybe<T>, given: A): Maybe<T> {
    if (this.#policy.state !== CircuitState.Closed) return this.#byPolicy(() => attempt(given))
    try {
      const result = attempt(given)
      if (result instanceof Promise) return this.#byPolicy(() => result)
      this.#breaker.success(CircuitState.Closed)
      return result
    } catch (error) {
      return this.#byPolicy(() => {
        throw error
      })
    }
  }

  reading(): BreakerReading {
    const probeAt = this.#probe === undefined ? undefined : this.#probeAt
    return { state: this.state, openSince: this.#openSince, probeAt }
  }

  /** The probe ended before it reached the other side: ask again soon. One that was made has set its own time. */
  probeLater(): void {
    if (this.#probe === undefined) this.#arm(PROBE_MIN_MS)
  }

  stop(): void {
    clearTimeout(this.#probe)
    this.#probe = undefined
  }

  async #byPolicy<T>(attempt: () => Maybe<T>): Promise<T> {
    let isCalled = false
    try {
      return await this.#policy.execute(() => {
        isCalled = true
        return attempt()
      })
    } catch (error) {
      // The policy's own error is no sign of that: a handler may have such a breaker of its own.
      throw isCalled ? error : new NotTried()
    }
  }

  #onState(state: CircuitState): void {
    this.stop()
    if (state === CircuitState.Open) {
      this.#arm(this.#probeMs + 5)
      this.#probeMs = Math.min(this.#probeMs * 2, PROBE_MAX_MS)
    }
    if (state === CircuitState.Closed) {
      this.#probeMs = PROBE_MIN_MS
      this.#breaker.reset()
    }
    this.#openSince = state === CircuitState.Closed ? undefined : (this.#openSince ?? performance.now())
    this.#options.onState(this.state)
  }

  #arm(delayMs: number): void {
    this.stop()
    this.#probeAt = performance.now() + delayMs
    this.#probe = setTimeout(() => {
      this.#probe = undefined
      this.#options.onProbe()
    }, delayMs)
  }
}

/** Opens on a share of failures, or on a row of refused connections. */
class RefusedOrSampled implements IBreaker {
  state: unknown = undefined
  /** Of the failures told next, in their order. */
  readonly #refused: boolean[] = []
  #sampled = newSampled()
  #refusedInARow = 0

  /** Tells of the failure to come whether it was a refused connection. */
  expect(isRefused: boolean): void {
    this.#refused.push(isRefused)
  }

  success(state: CircuitState): void {
    this.#refusedInARow = 0
    this.#sampled.success(state)
  }

  failure(state: CircuitState): boolean {
    this.#refusedInARow = this.#refused.shift() ? this.#refusedInARow + 1 : 0
    const sampled = this.#sampled.failure(state)
    return sampled || this.#refusedInARow >= 10
  }

  /** Closing begins a new sample: the failures that opened it must not open it again. */
  reset(): void {
    this.#refused.length = 0
    this.#refusedInARow = 0
    this.#sampled = newSampled()
  }
}

function newSampled(): SamplingBreaker {
  return new SamplingBreaker({ threshold: 0.8, duration: 10_000, minimumRps: 2 })
}

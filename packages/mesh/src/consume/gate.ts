import { type BreakerReading, type BreakerState, HandlerBreaker } from '../failure/breaker.ts'
import { LONGEST_TIMER_MS } from '../given.ts'
import type { Maybe } from '../maybe.ts'
import { type RateLimit, TokenBucket } from './rate-limit.ts'

/** What a gate asks of the handler it stands before. */
export type GatePort = {
  /** Something may be started again. */
  onGo: () => void
  /** How many messages to ask the server for; undefined: as many as the handler is made for. */
  onLimit: (limit: number | undefined) => void
  /** One message is to be tried: start one that is here, if there is any. */
  onTryOne: () => void
  /** None was here: have one sent that waits elsewhere. */
  onFetchOne: () => void
  /** One message is to be tried that was not tried before: start one, or have one sent. Without it any is tried, each time. */
  onTryUntried?: () => void
  /** The other side is back: what waits may go. */
  onRecovered: () => void
  /** `isNews` when it was flowing and is not, or the other way round; a probe that failed again is none. */
  onState: (state: BreakerState, isNews: boolean) => void
}

/** How long a message that was not tried before is waited for: none may be left. */
const UNTRIED_MS = 1000

/** By which message it is to be learned whether the other side is back. */
type Probe = 'none' | 'any' | 'untried'

/**
 * Says when a handler may start a message: not while it is paused, nor while its breaker is open, but for a probe, nor before
 * a time it was told, nor faster than its rate limit.
 */
export class Gate {
  readonly #port: GatePort
  readonly #breaker: HandlerBreaker
  /** By `performance.now()`; never while it is paused, so that one look at it tells both. */
  #notBefore = 0
  #delayedUntil = 0
  #isPaused = false
  #timer: NodeJS.Timeout | undefined
  #bucket: TokenBucket | undefined
  #tokenTimer: NodeJS.Timeout | undefined
  #probe: Probe = 'none'
  /** Since it opened. */
  #probes = 0
  #untriedTimer: NodeJS.Timeout | undefined
  #saidOpen = false
  #isStopped = false

  constructor(port: GatePort) {
    this.#port = port
    this.#breaker = new HandlerBreaker({ onState: (state) => this.#onState(state), onProbe: () => this.#onProbe() })
  }

  /** Everything may start: the other side answers. */
  get isFlowing(): boolean {
    return this.#breaker.state === 'closed'
  }

  /** Messages may be asked for. */
  get mayPull(): boolean {
    return this.isFlowing && !this.#isPaused
  }

  /** One that must run alone may do so, if need be as the probe. */
  get isOpen(): boolean {
    return this.mayPull || (this.#probe === 'any' && !this.#isPaused)
  }

  /** The probe that is due is for a message that was not tried before. */
  get wantsUntried(): boolean {
    return this.#probe === 'untried'
  }

  /** How its breaker stands, and until when it was told to start nothing; times by `performance.now()`. */
  reading(): BreakerReading & { delayedUntil: number | undefined } {
    const delayedUntil = this.#delayedUntil > performance.now() ? this.#delayedUntil : undefined
    return { ...this.#breaker.reading(), delayedUntil }
  }

  /** Nothing starts and nothing is asked for until it is let go again; the breaker keeps what it knows. */
  setPaused(isPaused: boolean): void {
    if (this.#isStopped || isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    this.#notBefore = isPaused ? Infinity : this.#delayedUntil
    this.#probe = 'none'
    if (!this.mayPull) this.#port.onLimit(0)
    if (isPaused) return
    if (this.isFlowing) {
      this.#port.onLimit(undefined)
      queueMicrotask(this.#port.onGo)
    } else if (this.#breaker.state === 'open') this.#breaker.probeLater()
  }

  /** Asked before each start; a yes while the breaker is open uses the probe up. */
  mayStart(): boolean {
    if (this.#isTooEarly) return false
    return this.isFlowing ? this.#hasToken() : this.#useProbe('any')
  }

  /** The same before a message that was not tried before is the probe. */
  mayTryUntried(): boolean {
    return !this.#isTooEarly && this.#useProbe('untried')
  }

  get #isTooEarly(): boolean {
    return this.#notBefore > 0 && performance.now() < this.#notBefore
  }

  #useProbe(probe: Probe): boolean {
    if (this.#breaker.state === 'half-open' || this.#probe !== probe) return false
    this.#probe = 'none'
    this.#port.onLimit(0)
    return true
  }

  /** From now on; undefined: as fast as may be. */
  limitRate(limit: RateLimit | undefined): void {
    this.#bucket = limit && new TokenBucket(limit)
    clearTimeout(this.#tokenTimer)
    this.#tokenTimer = undefined
  }

  /** Runs one call of the user's function, with what it is given, and takes its outcome into account. */
  guard<T, A>(call: (given: A) => Maybe<T>, given: A): Maybe<T> {
    return this.#breaker.execute(call, given)
  }

  /** Nothing is started for `delayMs`. */
  delay(delayMs: number): void {
    const until = performance.now() + delayMs
    if (this.#isStopped || until <= this.#delayedUntil) return
    this.#delayedUntil = until
    if (!this.#isPaused) this.#notBefore = until
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#port.onGo, delayMs + 1)
  }

  /** A probe has ended; one that ended before it reached the handler says nothing of the other side. */
  afterProbe(): void {
    if (this.#breaker.state === 'open') this.#breaker.probeLater()
  }

  stop(): void {
    this.#isStopped = true
    this.#breaker.stop()
    clearTimeout(this.#timer)
    clearTimeout(this.#tokenTimer)
    clearTimeout(this.#untriedTimer)
  }

  #hasToken(): boolean {
    const waitMs = this.#bucket?.take() ?? 0
    if (waitMs === 0) return true
    this.#tokenTimer ??= setTimeout(
      () => {
        this.#tokenTimer = undefined
        this.#port.onGo()
      },
      Math.min(waitMs, LONGEST_TIMER_MS),
    )
    return false
  }

  #onState(state: BreakerState): void {
    const isNews = state === 'closed' || (state === 'open' && !this.#saidOpen)
    this.#saidOpen = state !== 'closed'
    this.#port.onState(state, isNews)
    if (state === 'open') this.#port.onLimit(0)
    if (state !== 'closed') return
    this.#probe = 'none'
    this.#probes = 0
    if (this.mayPull) this.#port.onLimit(undefined)
    this.#port.onRecovered()
    queueMicrotask(this.#port.onGo)
  }

  /**
   * Every other probe is a message that was not tried before: those that were may fail by what they say, for ever, and
   * the other side be well.
   */
  #onProbe(): void {
    if (this.#cannotProbe) return
    clearTimeout(this.#untriedTimer)
    this.#probes += 1
    if (this.#port.onTryUntried === undefined || this.#probes % 2 === 1) {
      this.#probeByAny()
      return
    }
    this.#probe = 'untried'
    this.#untriedTimer = setTimeout(() => this.wantsUntried && !this.#cannotProbe && this.#probeByAny(), UNTRIED_MS)
    this.#port.onTryUntried()
  }

  get #cannotProbe(): boolean {
    return this.#isStopped || this.#isPaused || this.#breaker.state !== 'open'
  }

  #probeByAny(): void {
    this.#probe = 'any'
    this.#port.onTryOne()
    if (this.#probe !== 'any') return
    this.#port.onLimit(1)
    this.#port.onFetchOne()
  }
}

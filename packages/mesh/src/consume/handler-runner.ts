/**
 * Runs one handler: what its event durable and its lane durable deliver, until `stop()`.
 *
 * R1  A delivery is settled exactly once: acked after its outputs are stored, or after its copy on the lane is; termed
 *     after its letter is. Until then the server keeps it, and `working()` keeps it ours.
 * R2  No more than `concurrency` attempts run at once; a leaked one keeps its slot.
 * R3  While the breaker is open nothing is pulled and nothing starts but the probe (gate.ts).
 * R4  After `stop()` what was not started is handed back, and what was tried before is on the lane with its counters.
 * R5  While it is paused the same is done with what is here, and nothing is pulled and nothing starts; no attempt is counted.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../errors.ts'
import type { Maybe } from '../maybe.ts'
import type { Attempt, AttemptDeps } from '../service/attempt.ts'
import { identify } from '../service/run-attempt.ts'
import { Caller } from './caller.ts'
import { Conclusion } from './conclusion.ts'
import type { Burial, Delivery } from './delivery.ts'
import { Gate } from './gate.ts'
import { Intake } from './intake.ts'
import { Pulls } from './pulls.ts'
import type { Limits } from './rate-limit.ts'
import { Retries } from './retries.ts'
import type { RunnerOptions, RunnerState } from './runner-options.ts'
import { attemptDeps, checkLeaks, priorityReader, sayBreaker, sayLeak } from './runner-parts.ts'
import { ReadyQueue } from './ready-queue.ts'
import { Slots } from './slots.ts'
import { isSuspect, Suspects } from './suspects.ts'
import type { Tried } from './try-once.ts'
import { Turn } from './turn.ts'

/** For what waits for a retry when the service stops. */
const LAST_MOVES_MS = 5000

/** How an attempt was let in. */
type How = { isProbe: boolean; isLimited: boolean }
const USUAL: How = { isProbe: false, isLimited: false }

export class HandlerRunner {
  readonly #options: RunnerOptions
  readonly #attempt: AttemptDeps
  readonly #gate: Gate
  readonly #intake: Intake
  readonly #pulls: Pulls
  readonly #slots: Slots
  readonly #retries: Retries
  readonly #conclusion: Conclusion
  readonly #suspects: Suspects
  readonly #abort = new AbortController()
  readonly #ready: ReadyQueue
  readonly #turn = new Turn(() => this.#pump())
  readonly #caller: Caller
  #leaveSolitude: (() => void) | undefined
  #isPumping = false
  #isPaused = false
  #stopping = false
  /** It stops, or is paused: what comes goes back. */
  #handsBack = false

  constructor(options: RunnerOptions) {
    const { def, metrics, labels } = options
    this.#options = options
    this.#intake = new Intake({
      ...options,
      onDelivery: (delivery) => this.#onDelivery(delivery),
      onStranded: (delivery) => void this.#conclusion.buryLeaked(delivery),
    })
    this.#pulls = new Pulls(options, this.#intake)
    this.#retries = new Retries(options, this.#intake, {
      onDue: (delivery) => this.#start(delivery),
      mostHeld: () => this.#pulls.mostHeld,
      isFlowing: () => this.#gate.isFlowing,
      isPaused: () => this.#isPaused,
      isStopping: () => this.#stopping,
    })
    const port = {
      onDelay: (delayMs: number) => this.#gate.delay(delayMs),
      onLeaked: (delivery: Delivery) => this.#onLeaked(delivery),
      onNotTried: (delivery: Delivery) => this.#onNotTried(delivery),
    }
    const parts = { intake: this.#intake, retries: this.#retries, port, stopping: this.#abort.signal }
    this.#conclusion = new Conclusion(options, parts)
    this.#ready = new ReadyQueue(priorityReader(options))
    this.#slots = new Slots(def.concurrency, (running) => metrics.inflight(labels, running))
    const here = { intake: this.#intake, retries: this.#retries, slots: this.#slots }
    this.#suspects = new Suspects(options, here, {
      onClear: (delivery) => this.#enqueue(delivery),
      gate: () => this.#gate,
      attempt: (delivery) => this.#caller.call(delivery),
      onTried: (delivery, tried, isProbe) => this.#onTriedLate(delivery, tried, { isProbe, isLimited: false }),
      onRefused: (isProbe) => this.#onConcluded(false, isProbe),
      mostHeld: () => this.#pulls.mostHeld,
      putBack: (delivery) => this.#putBack(delivery),
    })
    this.#gate = new Gate({
      onGo: () => this.#pump(),
      onLimit: (limit) => this.#pulls.setLimit(limit),
      onTryOne: () => this.#tryOne(),
      onFetchOne: () => this.#retries.fetchOne(),
      onTryUntried: () => {
        if (!this.#tryUntried()) this.#pulls.askForOneEvent()
      },
      onRecovered: () => this.#retries.release(),
      onState: (state, isNews) => sayBreaker(options, state, isNews),
    })
    const onLate = (attempt: Attempt): void => void this.#conclusion.late(attempt)
    this.#attempt = attemptDeps(options, { gate: this.#gate, stopping: this.#abort.signal, onLate })
    this.#caller = new Caller(options, this.#attempt)
    this.#gate.limitRate(def.rateLimit)
    metrics.breaker(labels, 0)
  }

  start(): void {
    this.#leaveSolitude = this.#options.solitude.join(this.#slots.party(() => this.#pump()))
    this.#pulls.open(this.#gate.mayPull)
  }

  /** Why this handler is not ready; empty when it is. */
  faults(): string[] {
    const { leaked } = this.#slots
    const leaks = leaked > 0 ? [`handler ${this.#options.handler}: ${leaked} slots leaked`] : []
    return [...this.#intake.faults(), ...leaks]
  }

  /** Upholds R2 with other limits from now on; attempts that run are not cut short. */
  adjust(limits: Limits): void {
    this.#pulls.adjust(limits)
    const { concurrency, rateLimit } = this.#pulls
    this.#slots.resize(concurrency)
    this.#gate.limitRate(rateLimit)
    if (this.#gate.mayPull) this.#pulls.setLimit(undefined)
    checkLeaks(this.#options, this.#slots.leaked, concurrency)
    this.#pump()
  }

  /** Upholds R5. What runs ends as always. */
  setPaused(isPaused: boolean): void {
    if (this.#stopping || isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    this.#handsBack = isPaused
    this.#gate.setPaused(isPaused)
    if (!isPaused) return
    const here = [...this.#ready.takeAll(), ...this.#suspects.takeAll()]
    const ready = here.map((delivery) => this.#retries.setAside(delivery))
    void Promise.all([...this.#retries.setAllAside(), ...ready])
  }

  /** What it does now. */
  state(): RunnerState {
    const [ready, retrying] = [this.#ready.length + this.#suspects.length, this.#retries.size]
    const { concurrency, rateLimit } = this.#pulls
    return { concurrency, rateLimit, ...this.#slots.counts, ready, retrying, gate: this.#gate.reading() }
  }

  /** Its durable was set back, or made anew: up to here what it delivers may have been done with before. */
  expectRepeats(upTo: number): void {
    this.#intake.expectRepeats(upTo)
  }

  renewEpoch(epoch: number): void {
    this.#intake.renewEpoch(epoch)
  }

  /** Upholds R4. `drainMs` bounds the wait for running attempts; then their signal aborts. */
  async stop(drainMs: number): Promise<void> {
    if (this.#intake.mayLose) await this.#intake.runOut()
    this.#stopping = true
    this.#handsBack = true
    this.#gate.stop()
    await this.#intake.stopPulling()
    const waiting = this.#retries.leaveAll()
    const here = [...this.#ready.takeAll(), ...this.#suspects.takeAll()]
    const ready = here.map((delivery) => this.#retries.leave(delivery))
    const left = Promise.allSettled([...waiting, ...ready])
    await Promise.race([left, sleep(LAST_MOVES_MS, undefined, { ref: false })])
    const isUp = this.#options.connection.isUp()
    await this.#slots.drain(isUp ? drainMs : Math.min(drainMs, LAST_MOVES_MS), () =>
      this.#abort.abort(new MeshError('MESH_CLOSED', 'the service stops and cannot wait longer')),
    )
    await this.#suspects.letGo()
    this.#leaveSolitude?.()
    await this.#intake.close()
  }

  #onDelivery(delivery: Delivery): void {
    if (this.#handsBack) this.#intake.handBack(delivery)
    else this.#start(delivery)
  }

  #putBack(delivery: Delivery): boolean {
    if (this.#stopping) void this.#retries.leave(delivery).catch(() => undefined)
    else if (this.#isPaused) void this.#retries.setAside(delivery)
    return this.#handsBack
  }

  #start(delivery: Delivery): void {
    if (isSuspect(delivery) && identify(this.#attempt, delivery).kind === 'ours') this.#suspects.add(delivery)
    else this.#enqueue(delivery)
  }

  #enqueue(delivery: Delivery): void {
    if (this.#ready.length === 0 && !this.#isPumping && this.#mayStart()) {
      this.#pump(delivery)
      return
    }
    this.#ready.push(delivery)
    this.#pump()
    if (this.#gate.wantsUntried) this.#tryUntried()
  }

  /**
   * What ends at once leaves its slot to the next one, here: were it to pump, every message would deepen the stack. `first`
   * was let in already.
   */
  #pump(first?: Delivery): void {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      if (first) this.#run(first)
      while (this.#ready.length > 0 && this.#mayStart()) this.#run(this.#ready.shift()!)
    } catch (error) {
      // What a logger throws, or a metric, is for whoever gave it to us: the client, who called, would keep it to itself.
      void Promise.reject(error)
    } finally {
      this.#isPumping = false
    }
  }

  #mayStart(): boolean {
    if (this.#stopping || this.#slots.isFull) return false
    return this.#turn.hasTime && this.#gate.mayStart()
  }

  /** Upholds R2. Never throws. */
  #run(delivery: Delivery): void {
    const isProbe = !this.#gate.isFlowing
    if (delivery.burial) {
      void this.#buryAgain(delivery, delivery.burial, isProbe)
      return
    }
    if (delivery.onTrial) {
      void this.#suspects.run(delivery, isProbe)
      return
    }
    this.#slots.take()
    // A rate limit bounds what waits: what runs has its slot, and would keep others from being there in time.
    const isLimited = this.#pulls.rateLimit !== undefined
    if (isLimited) delivery.credit.release()
    const how = isProbe || isLimited ? { isProbe, isLimited } : USUAL
    const tried = this.#caller.call(delivery)
    if (tried instanceof Promise) {
      this.#slots.show()
      void tried.then((ended) => this.#onTriedLate(delivery, ended, how))
      return
    }
    this.#turn.spend(tried.ms)
    this.#onTried(delivery, tried, how)
  }

  #onTriedLate(delivery: Delivery, tried: Tried, how: How): void {
    this.#onTried(delivery, tried, how)
    this.#slots.show()
  }

  #onTried(delivery: Delivery, tried: Tried, { isProbe, isLimited }: How): void {
    if (isLimited) delivery.credit.reclaim()
    const isLeaked = tried.kind === 'leaked'
    if (!isLeaked) this.#slots.conclude()
    const concluded = this.#conclusion.reach(delivery, tried, isProbe)
    // What is left may wait for the server; the next message need not wait for that.
    if (concluded instanceof Promise) {
      this.#pump()
      void concluded.then(() => this.#onConcluded(isLeaked, isProbe))
      return
    }
    this.#onConcluded(isLeaked, isProbe)
  }

  #onConcluded(isLeaked: boolean, isProbe: boolean): void {
    if (!isLeaked) this.#slots.free()
    if (isProbe) this.#gate.afterProbe()
    this.#pump()
  }

  /** Its letter could not be stored: that is tried again, not the handler. */
  async #buryAgain(delivery: Delivery, burial: Burial, isProbe: boolean): Promise<void> {
    this.#slots.take()
    this.#slots.conclude()
    await this.#conclusion.buryAgain(delivery, burial)
    this.#slots.free()
    // It used the probe up and told nothing of the other side.
    if (isProbe) this.#gate.afterProbe()
  }

  #onLeaked(delivery: Delivery): void {
    // It will not be settled here: with all credit held by such calls nothing would be pulled any more, no probe either.
    delivery.credit.release()
    const lost = { slots: this.#slots, concurrency: this.#pulls.concurrency, loss: 'its slot is lost' }
    sayLeak(this.#options, delivery, lost)
  }

  #onNotTried(delivery: Delivery): Maybe<void> {
    if (this.#stopping) return this.#retries.leave(delivery)
    if (this.#isPaused) return this.#retries.setAside(delivery)
    if (isSuspect(delivery)) this.#suspects.add(delivery)
    else this.#ready.unshift(delivery)
  }

  #tryOne(): void {
    if (this.#ready.length > 0 || !this.#retries.wakeOne()) this.#pump()
  }

  /** What a run sends failed before, as a rule. Whether one is here that did not. */
  #tryUntried(): boolean {
    const found = this.#ready.first(({ attempts, run }) => attempts === 0 && !run)
    if (!found || this.#stopping || this.#slots.isFull || !this.#gate.mayTryUntried()) return false
    this.#ready.take(found)
    this.#run(found)
    return true
  }
}

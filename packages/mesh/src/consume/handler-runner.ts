/**
 * Runs one handler: what its event durable and its lane durable deliver, until `stop()`.
 *
 * R1  A delivery is settled exactly once: acked after its outputs are stored, or after its copy on the lane is; termed
 *     after its letter is. Until then the server keeps it, and `working()` keeps it ours.
 * R2  No more than `concurrency` attempts run at once; a leaked one keeps its slot.
 * R3  While the breaker is open nothing is pulled and nothing starts but the probe, whose failure exhausts nothing.
 * R4  A message that is here already is not started a second time, nor one settled here lately; their newest reply counts.
 * R5  After `stop()` what was not started is handed back, and what waited for a retry is on the lane with its counters.
 */
import type { Msg } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { backoffMs } from '../failure/backoff.ts'
import { type BreakerState, HandlerBreaker } from '../failure/breaker.ts'
import { classify, type Verdict } from '../failure/classify.ts'
import { dropFromLane, releaseLane, sendToLane } from '../failure/lane.ts'
import { writeLetter } from '../failure/dead-letter.ts'
import { type RetryPolicy, untilBack } from '../failure/retry-policy.ts'
import type { Envelope } from '../message/envelope.ts'
import { tellStage } from '../observe/stages.ts'
import { type AttemptDeps, type AttemptOutcome, identify, runAttempt } from '../service/run-attempt.ts'
import { type Delivery, deliveryName, readDelivery } from './delivery.ts'
import type { RunnerOptions } from './runner-options.ts'
import { PullLoop } from './pull-loop.ts'
import { Recent } from './recent.ts'

const HOLD_MOST_MS = 30_000
const RAMP_MS = 5000
const LEAK_AFTER_MS = 10_000
const RECORD_EVERY_MS = 1000
const AGAIN_MS = 5000

export class HandlerRunner {
  readonly #options: RunnerOptions
  readonly #attempt: AttemptDeps
  readonly #breaker: HandlerBreaker
  readonly #labels: { service: string; handler: string }
  readonly #here = new Map<string, Delivery>()
  readonly #settled = new Recent(20_000)
  readonly #abort = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  #ready: Delivery[] = []
  #events: PullLoop | undefined
  #lane: PullLoop | undefined
  #epoch: number
  #running = 0
  #held = 0
  #leaked = 0
  #notBefore = 0
  #notBeforeTimer: NodeJS.Timeout | undefined
  #probeDue = false
  #isOpen = false
  #stopping = false
  #idle: (() => void)[] = []

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#epoch = options.epoch
    const { service, handler } = options
    this.#labels = { service: service.name, handler }
    this.#breaker = new HandlerBreaker({ onState: (state) => this.#onBreaker(state), onProbe: () => this.#onProbe() })
    this.#attempt = {
      publisher: options.publisher,
      names: options.names,
      log: options.log,
      service: service.name,
      handler,
      def: options.def,
      guard: (call) => this.#breaker.execute(call),
      stopping: this.#abort.signal,
      leakAfterMs: options.leakAfterMs ?? LEAK_AFTER_MS,
    }
    this.#heartbeat = setInterval(() => this.#keepOurs(), options.def.ackWaitMs / 3)
    options.metrics.breaker(this.#labels, 0)
  }

  start(): void {
    const { names, service, handler, stream, nc, inboxPrefix, def } = this.#options
    const { connection, onDoubt } = this.#options
    const common = { connection, durable: names.durable(service.name, handler), inboxPrefix, onDoubt }
    this.#events = new PullLoop(nc, {
      ...common,
      stream,
      limit: 2 * def.concurrency,
      onMessage: (msg) => this.#onMessage(msg, 'event'),
    })
    this.#lane = new PullLoop(nc, {
      ...common,
      stream: names.lanes(service.name),
      limit: def.concurrency,
      onMessage: (msg) => this.#onMessage(msg, 'lane'),
    })
  }

  /** Why this handler is not ready; empty when it is. */
  faults(): string[] {
    const faults: string[] = []
    if (this.#leaked > 0) faults.push(`handler ${this.#options.handler}: ${this.#leaked} slots leaked`)
    if (!this.#events?.alive || !this.#lane?.alive)
      faults.push(`handler ${this.#options.handler}: its consumer does not answer`)
    return faults
  }

  /** The event stream was made anew: its sequences begin again, so what is known by sequence is void. */
  renewEpoch(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#settled.clear()
    for (const [name, delivery] of this.#here) {
      if (delivery.via !== 'event') continue
      this.#here.delete(name)
      delivery.reply = ''
    }
  }

  /** Upholds R5. `drainMs` bounds the wait for running attempts; then their signal aborts. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true
    this.#breaker.stop()
    clearTimeout(this.#notBeforeTimer)
    await Promise.all([this.#events?.stop(), this.#lane?.stop()])
    const ready = this.#ready.splice(0)
    for (const delivery of ready) if (!delivery.isTouched) this.#handBack(delivery)
    const held = [...this.#here.values()].filter(({ phase }) => phase.kind === 'held')
    const tried = ready.filter((delivery) => delivery.isTouched)
    await Promise.allSettled([
      ...held.map((one) => this.#moveHeld(one)),
      ...tried.map((one) => this.#moveToLane(one, 0)),
    ])
    await this.#whenIdle(drainMs)
    clearInterval(this.#heartbeat)
    await this.#options.settler.flush().catch(() => undefined)
  }

  #onMessage(msg: Msg, via: 'event' | 'lane'): void {
    const delivery = readDelivery(msg, via, this.#epoch)
    const name = deliveryName(via, delivery.deliveredSeq)
    const known = this.#here.get(name)
    if (known || this.#settled.has(name)) {
      this.#onRedelivery(delivery, known)
      return
    }
    this.#here.set(name, delivery)
    tellStage('delivered', { ...this.#labels, source: delivery.source })
    if (this.#stopping) {
      this.#handBack(delivery)
      return
    }
    this.#ready.push(delivery)
    this.#pump()
  }

  /** Upholds R4. */
  #onRedelivery(delivery: Delivery, known: Delivery | undefined): void {
    this.#loopOf(delivery).release()
    if (!known) this.#options.settler.ack(delivery.reply)
    else if (known.phase.kind === 'leaked') this.#options.settler.nak(delivery.reply, this.#options.def.ackWaitMs)
    else {
      known.reply = delivery.reply
      known.deliveryCount = delivery.deliveryCount
    }
  }

  #pump(): void {
    if (this.#stopping) return
    while (this.#ready.length > 0 && this.#running < this.#options.def.concurrency && this.#mayStart())
      void this.#run(this.#ready.shift()!)
  }

  /** Upholds R3. */
  #mayStart(): boolean {
    if (Date.now() < this.#notBefore) return false
    if (this.#breaker.state === 'closed') return true
    if (this.#breaker.state === 'half-open' || !this.#probeDue) return false
    this.#probeDue = false
    this.#setLimits(0)
    return true
  }

  async #run(delivery: Delivery): Promise<void> {
    const isProbe = this.#breaker.state !== 'closed'
    this.#running++
    tellStage('started', { ...this.#labels, source: delivery.source })
    this.#options.metrics.inflight(this.#labels, this.#running)
    delivery.phase = { kind: 'running' }
    if (delivery.attempts === 0)
      this.#options.metrics.age(this.#labels, Date.now() - delivery.source.publishedAt.getTime())
    delivery.attempts++
    delivery.isTouched = true
    delivery.attemptTimes.push(new Date().toISOString())
    const started = performance.now()
    try {
      const outcome = await this.#outcomeOf(delivery)
      await this.#conclude(delivery, outcome, { isProbe, ms: performance.now() - started })
    } catch (error) {
      this.#options.log.error({ ...this.#labels, err: error }, 'a message could not be concluded; it is tried again')
      this.#hold(delivery, AGAIN_MS)
    }
    if (!isLeaked(delivery)) this.#freeSlot()
    // A probe that ended before it reached the handler says nothing of the other side.
    if (isProbe && this.#breaker.state === 'open') this.#breaker.probeLater()
    this.#pump()
    this.#tellIdle()
  }

  async #outcomeOf(delivery: Delivery): Promise<AttemptOutcome & { envelope?: Envelope }> {
    const identity = identify(this.#attempt, delivery)
    if (identity.kind === 'foreign') return { kind: 'done' }
    if (identity.kind === 'unreadable') return { kind: 'failed', error: identity.error }
    const outcome = await runAttempt(this.#attempt, delivery, identity.envelope)
    return { ...outcome, envelope: identity.envelope }
  }

  async #conclude(
    delivery: Delivery,
    outcome: AttemptOutcome & { envelope?: Envelope },
    { isProbe, ms }: { isProbe: boolean; ms: number },
  ): Promise<void> {
    const { metrics } = this.#options
    const traceId = delivery.previousAttempt?.traceId
    if (outcome.kind === 'leaked') {
      this.#onLeak(delivery)
      return
    }
    if (outcome.kind === 'done') {
      metrics.processed(this.#labels, 'ok', ms, traceId)
      metrics.attempts(this.#labels, delivery.attempts)
      if (delivery.via === 'event' && delivery.deliveryCount > 1)
        await dropFromLane(this.#options.lane, delivery).catch(() => undefined)
      this.#settle(delivery, 'ack')
      return
    }
    const verdict = classify(outcome.error)
    if (verdict.code === 'BrokenCircuitError') {
      // The breaker opened between the look and the call: not an attempt.
      delivery.attempts--
      delivery.attemptTimes.pop()
      delivery.phase = { kind: 'ready' }
      this.#ready.unshift(delivery)
      return
    }
    const dead = this.#isDead(delivery, verdict, isProbe)
    metrics.processed(this.#labels, dead ? (outcome.envelope ? 'dead' : 'invalid') : 'retry', ms, traceId)
    if (dead) await this.#bury(delivery, { ...outcome, verdict })
    else await this.#retry(delivery, { ...outcome, verdict })
  }

  /** Counts the failure and decides whether it was the last. */
  #isDead(delivery: Delivery, verdict: Verdict, isProbe: boolean): boolean {
    if (verdict.action === 'dead-letter') return true
    if (verdict.delayMs !== undefined || verdict.code === 'MESH_CLOSED') return false
    const retry = this.#policyFor(verdict)
    delivery.failures++
    delivery.firstFailureAt ??= Date.now()
    if (isProbe) return false
    return delivery.failures >= retry.attempts || Date.now() - delivery.firstFailureAt >= retry.forMs
  }

  /** What only time or a release can mend is waited for, whatever the handler's own policy. */
  #policyFor(verdict: Verdict): RetryPolicy {
    return verdict.isPatient ? untilBack : this.#options.def.retry
  }

  async #retry(delivery: Delivery, failed: Failed): Promise<void> {
    const { verdict } = failed
    const delayMs = verdict.delayMs ?? backoffMs(this.#policyFor(verdict), Math.max(1, delivery.failures))
    if (verdict.delayMs !== undefined) this.#pauseUntil(Date.now() + delayMs)
    void this.#record(delivery, failed, new Date(Date.now() + delayMs).toISOString())
    this.#options.log.debug(
      { ...this.#labels, code: verdict.code, attempt: delivery.attempts, delayMs },
      'attempt failed',
    )
    if (this.#stopping) await this.#moveToLane(delivery, delayMs)
    else if (delayMs <= HOLD_MOST_MS && this.#held < this.#mostHeld()) this.#hold(delivery, delayMs)
    else await this.#moveToLane(delivery, delayMs)
  }

  /** Writes the letter, then terms the original. One that cannot be stored now is tried again, not given up. */
  async #bury(delivery: Delivery, failed: Failed): Promise<void> {
    const { verdict, error } = failed
    const isExhausted = verdict.action === 'retry'
    const code = isExhausted ? 'MESH_RETRIES_EXHAUSTED' : verdict.code
    const message = isExhausted
      ? `${delivery.failures} attempts failed, the last with ${verdict.code}: ${verdict.message}`
      : verdict.message
    await this.#record(delivery, failed, null)
    await writeLetter(this.#options.office, delivery, { code, message, error })
    this.#options.metrics.deadLetter(this.#labels, code)
    this.#options.metrics.attempts(this.#labels, delivery.attempts)
    this.#options.log.warn({ ...this.#labels, code, reason: message, ...delivery.source }, 'dead letter written')
    this.#settle(delivery, 'term')
  }

  /** At most one record a second a message while it is here. Never throws. */
  async #record(delivery: Delivery, failed: Failed, nextAttemptAt: string | null): Promise<void> {
    const { envelope, verdict } = failed
    const isDue = nextAttemptAt === null || Date.now() - delivery.lastRecordAt >= RECORD_EVERY_MS
    if (!envelope || !isDue) return
    delivery.lastRecordAt = Date.now()
    await this.#options.record({ delivery, envelope, verdict, nextAttemptAt })
  }

  #hold(delivery: Delivery, delayMs: number): void {
    this.#held++
    this.#loopOf(delivery).release()
    const timer = setTimeout(() => this.#unhold(delivery), delayMs)
    delivery.phase = { kind: 'held', timer, dueAt: Date.now() + delayMs }
  }

  #unhold(delivery: Delivery): void {
    if (!this.#leaveHold(delivery)) return
    delivery.phase = { kind: 'ready' }
    this.#ready.push(delivery)
    this.#pump()
  }

  /** What was held had given its credit back; from here on it is not counted there. */
  #leaveHold(delivery: Delivery): boolean {
    if (delivery.phase.kind !== 'held') return false
    clearTimeout(delivery.phase.timer)
    this.#held--
    this.#loopOf(delivery).reclaim()
    return true
  }

  async #moveHeld(delivery: Delivery): Promise<void> {
    const delayMs = delivery.phase.kind === 'held' ? Math.max(0, delivery.phase.dueAt - Date.now()) : 0
    if (this.#leaveHold(delivery)) await this.#moveToLane(delivery, delayMs)
  }

  async #moveToLane(delivery: Delivery, delayMs: number): Promise<void> {
    await sendToLane(this.#options.lane, delivery, delayMs)
    this.#settle(delivery, 'ack')
  }

  /** Upholds R1. */
  #settle(delivery: Delivery, how: 'ack' | 'term'): void {
    const name = deliveryName(delivery.via, delivery.deliveredSeq)
    if (delivery.reply !== '') {
      this.#settled.add(name)
      this.#here.delete(name)
      const { source } = delivery
      this.#options.settler[how](delivery.reply, () => tellStage('settled', { ...this.#labels, source }))
    }
    this.#loopOf(delivery).release()
  }

  #handBack(delivery: Delivery): void {
    this.#here.delete(deliveryName(delivery.via, delivery.deliveredSeq))
    this.#options.settler.nak(delivery.reply)
  }

  #onLeak(delivery: Delivery): void {
    delivery.phase = { kind: 'leaked' }
    this.#leaked++
    this.#options.metrics.leaked(this.#labels, this.#leaked)
    this.#options.log.error(
      { ...this.#labels, ...delivery.source },
      'a handler ignored its signal and never returned; its slot is lost',
    )
    if (this.#leaked * 2 >= this.#options.def.concurrency)
      this.#options.onFatal(
        new MeshError(
          'MESH_HANDLER_LEAKED',
          `handler ${this.#labels.handler} of ${this.#labels.service} lost ${this.#leaked} of ${this.#options.def.concurrency} slots to calls that never return; make it honour ctx.signal`,
        ),
      )
  }

  #freeSlot(): void {
    this.#running--
    this.#options.metrics.inflight(this.#labels, this.#running)
  }

  #keepOurs(): void {
    for (const { phase, reply } of this.#here.values())
      if (phase.kind !== 'leaked') this.#options.settler.working(reply)
  }

  #pauseUntil(at: number): void {
    if (at <= this.#notBefore) return
    this.#notBefore = at
    clearTimeout(this.#notBeforeTimer)
    this.#notBeforeTimer = setTimeout(() => this.#pump(), at - Date.now() + 1)
  }

  #onBreaker(state: BreakerState): void {
    this.#options.metrics.breaker(this.#labels, state === 'closed' ? 0 : state === 'open' ? 2 : 1)
    this.#sayBreaker(state)
    if (state === 'open') this.#setLimits(0)
    if (state !== 'closed') return
    this.#setLimits(undefined)
    this.#releaseWaiting()
    queueMicrotask(() => this.#pump())
  }

  /** A probe that failed changes nothing worth a warning. */
  #sayBreaker(state: BreakerState): void {
    const isNews = state === 'closed' || (state === 'open' && !this.#isOpen)
    this.#isOpen = state !== 'closed'
    this.#options.log[isNews ? 'warn' : 'debug']({ ...this.#labels, state }, `the breaker is ${state}`)
    if (isNews) this.#options.onBreaker(state)
  }

  /** The other side is back: what waits for it goes now, over a few seconds. */
  #releaseWaiting(): void {
    const held = [...this.#here.values()].filter((delivery) => delivery.phase.kind === 'held')
    for (const [index, delivery] of held.entries()) {
      if (delivery.phase.kind !== 'held') continue
      const delayMs = Math.min(delivery.phase.dueAt - Date.now(), (RAMP_MS * index) / held.length)
      clearTimeout(delivery.phase.timer)
      delivery.phase.timer = setTimeout(() => this.#unhold(delivery), delayMs)
    }
    releaseLane(this.#options.lane, { rampMs: RAMP_MS }).catch((error: unknown) =>
      this.#options.log.warn(
        { ...this.#labels, err: error },
        'waiting retries could not be released; they come at their own time',
      ),
    )
  }

  /** One message is to be tried: one that is here, else one that waits on the lane, else the next of the stream. */
  #onProbe(): void {
    if (this.#stopping || this.#breaker.state !== 'open') return
    this.#probeDue = true
    const held = [...this.#here.values()].find((delivery) => delivery.phase.kind === 'held')
    if (this.#ready.length === 0 && held) this.#unhold(held)
    else this.#pump()
    if (!this.#probeDue) return
    this.#setLimits(1)
    void releaseLane(this.#options.lane, { rampMs: 0, most: 1 }).catch(() => undefined)
  }

  #setLimits(limit: number | undefined): void {
    const { concurrency } = this.#options.def
    this.#events?.setLimit(limit ?? 2 * concurrency)
    this.#lane?.setLimit(limit ?? concurrency)
  }

  #mostHeld(): number {
    return Math.max(64, 4 * this.#options.def.concurrency)
  }

  #loopOf(delivery: Delivery): PullLoop {
    return delivery.via === 'event' ? this.#events! : this.#lane!
  }

  async #whenIdle(drainMs: number): Promise<void> {
    const busy = (): boolean => this.#running - this.#leaked > 0
    if (!busy()) return
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve))
    const late = setTimeout(
      () => this.#abort.abort(new MeshError('MESH_CLOSED', 'the service stops and cannot wait longer')),
      drainMs,
    )
    const given = setTimeout(() => this.#idle.splice(0).forEach((resolve) => resolve()), drainMs + 2000)
    await idle
    clearTimeout(late)
    clearTimeout(given)
  }

  #tellIdle(): void {
    if (this.#running - this.#leaked === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

/** A function, because the phase changes while its delivery is awaited. */
const isLeaked = ({ phase }: Delivery): boolean => phase.kind === 'leaked'

type Failed = { kind: 'failed'; error: unknown; envelope?: Envelope; verdict: Verdict }

/**
 * Runs one handler: what its event durable and its lane durable deliver, until `stop()`.
 *
 * R1  A delivery is settled exactly once: acked after its outputs are stored, or after its copy on the lane is; termed
 *     after its letter is. Until then the server keeps it, and `working()` keeps it ours.
 * R2  No more than `concurrency` attempts run at once; a leaked one keeps its slot.
 * R3  While the breaker is open nothing is pulled and nothing starts but the probe (gate.ts).
 * R4  A message that is here already is not started a second time, nor one settled here lately; their newest reply counts.
 * R5  After `stop()` what was not started is handed back, and what was tried before is on the lane with its counters.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Msg } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { BreakerState } from '../failure/breaker.ts'
import { decide, type Decision } from '../failure/decide.ts'
import { fitsLane, releaseLane, sendToLane } from '../failure/lane.ts'
import { covers } from '../message/contract.ts'
import type { Envelope } from '../message/envelope.ts'
import { tellStage } from '../observe/stages.ts'
import { type AttemptDeps, type AttemptOutcome, identify, runAttempt } from '../service/run-attempt.ts'
import { filtersOf } from '../topology/consumer-config.ts'
import { bury, dropStaleCopy, leaveRecord } from './after-failure.ts'
import { type Burial, type Delivery, deliveryName, readDelivery } from './delivery.ts'
import { deniedAck } from './denied-acks.ts'
import { Gate } from './gate.ts'
import { PullLoop } from './pull-loop.ts'
import { Recent } from './recent.ts'
import type { RunnerOptions } from './runner-options.ts'
import { Slots } from './slots.ts'
import { mostHeld, WaitingRoom } from './waiting-room.ts'

/** A longer wait goes to the lane. */
const HOLD_MOST_MS = 30_000
/** What waited for a partner goes to it over this time when it is back. */
const RAMP_MS = 5000
const LEAK_AFTER_MS = 10_000
/** Until the other release may have it. */
const LEAVE_MS = 1000
/** Times of the latest attempts, for the letter. */
const KEPT_ATTEMPT_TIMES = 20
/** When neither copy nor letter could be stored. */
const AGAIN_MS = 5000
/** For what waits for a retry when the service stops. */
const LAST_MOVES_MS = 5000

export class HandlerRunner {
  readonly #options: RunnerOptions
  readonly #attempt: AttemptDeps
  readonly #gate: Gate
  readonly #labels: { service: string; handler: string }
  readonly #here = new Map<string, Delivery>()
  readonly #settled = new Recent(20_000)
  readonly #slots: Slots
  readonly #held = new WaitingRoom((delivery) => this.#onDue(delivery))
  readonly #abort = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  readonly #unlisten: () => void
  #ready: Delivery[] = []
  #events: PullLoop | undefined
  #lane: PullLoop | undefined
  #epoch: number
  #denied: string | undefined
  #recoveries = 0
  #saidOthers = false
  #stopping = false

  constructor(options: RunnerOptions) {
    const { service, handler, def, metrics } = options
    this.#options = options
    this.#epoch = options.epoch
    this.#labels = { service: service.name, handler }
    this.#slots = new Slots(def.concurrency, (running) => metrics.inflight(this.#labels, running))
    this.#gate = new Gate({
      onGo: () => this.#pump(),
      onLimit: (limit) => this.#setLimits(limit),
      onTryOne: () => this.#tryOne(),
      onFetchOne: () => this.#releaseLane({ rampMs: 0, most: 1 }),
      onRecovered: () => this.#releaseWaiting(),
      onState: (state, isNews) => this.#sayBreaker(state, isNews),
    })
    this.#attempt = {
      publisher: options.publisher,
      names: options.names,
      log: options.log,
      service: service.name,
      handler,
      def,
      guard: (call) => this.#gate.guard(call),
      stopping: this.#abort.signal,
      leakAfterMs: options.leakAfterMs ?? LEAK_AFTER_MS,
    }
    this.#heartbeat = setInterval(() => this.#keepOurs(), def.ackWaitMs / 3)
    this.#unlisten = options.connection.listen({
      error: (error) => (this.#denied ??= deniedAck(error, options)),
    })
    metrics.breaker(this.#labels, 0)
  }

  start(): void {
    const { names, service, handler, stream, nc, connection, inboxPrefix, onDoubt, def, settler } = this.#options
    const onLapse = (): void => settler.sendAgain()
    const common = { connection, durable: names.durable(service.name, handler), inboxPrefix, onDoubt, onLapse }
    const loop = (via: 'event' | 'lane', from: string, limit: number): PullLoop =>
      new PullLoop(nc, { ...common, stream: from, limit, onMessage: (msg) => this.#onMessage(msg, via) })
    this.#events = loop('event', stream, 2 * def.concurrency)
    this.#lane = loop('lane', names.lanes(service.name), def.concurrency)
  }

  /** Why this handler is not ready; empty when it is. */
  faults(): string[] {
    const faults: string[] = []
    const { leaked } = this.#slots
    if (this.#denied) faults.push(this.#denied)
    if (leaked > 0) faults.push(`handler ${this.#options.handler}: ${leaked} slots leaked`)
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
    this.#gate.stop()
    await Promise.all([this.#events?.stop(), this.#lane?.stop()])
    const tried = this.#held.takeAll()
    for (const delivery of this.#ready.splice(0)) {
      if (delivery.isTouched) tried.push({ delivery, delayMs: 0 })
      else this.#handBack(delivery)
    }
    // Without a server there is nobody to hand anything to: it comes back after `ack_wait`, as after a crash.
    const isUp = this.#options.connection.isUp()
    const moving = isUp ? tried.map(({ delivery, delayMs }) => this.#moveToLane(delivery, delayMs)) : []
    await Promise.race([Promise.allSettled(moving), sleep(LAST_MOVES_MS, undefined, { ref: false })])
    await this.#slots.drain(isUp ? drainMs : Math.min(drainMs, LAST_MOVES_MS), () =>
      this.#abort.abort(new MeshError('MESH_CLOSED', 'the service stops and cannot wait longer')),
    )
    clearInterval(this.#heartbeat)
    this.#unlisten()
    await this.#options.settler.flush().catch(() => undefined)
  }

  #onMessage(msg: Msg, via: 'event' | 'lane'): void {
    const delivery = readDelivery(msg, via, this.#epoch)
    const name = deliveryName(delivery)
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
    else if (isLeaked(known)) this.#options.settler.nak(delivery.reply, this.#options.def.ackWaitMs)
    else {
      known.reply = delivery.reply
      known.deliveryCount = delivery.deliveryCount
    }
  }

  #pump(): void {
    while (!this.#stopping && this.#ready.length > 0 && !this.#slots.isFull && this.#gate.mayStart())
      void this.#run(this.#ready.shift()!)
  }

  /** Upholds R2. Never throws. */
  async #run(delivery: Delivery): Promise<void> {
    const isProbe = !this.#gate.isFlowing
    if (delivery.burial) {
      await this.#buryAgain(delivery, delivery.burial)
      // It used the probe up and told nothing of the other side.
      if (isProbe) this.#gate.afterProbe()
      return
    }
    this.#slots.take()
    this.#begin(delivery)
    const started = performance.now()
    const outcome = await this.#outcomeOf(delivery).catch((error: unknown): Outcome => ({ kind: 'failed', error }))
    const ms = performance.now() - started
    if (outcome.kind !== 'leaked') this.#slots.conclude()
    try {
      const concluded = this.#conclude(delivery, outcome, { isProbe, ms })
      // What is left may wait for the server; the next message need not wait for that.
      this.#pump()
      await concluded
    } catch (error) {
      this.#again(delivery, error)
    }
    if (outcome.kind !== 'leaked') this.#slots.free()
    if (isProbe) this.#gate.afterProbe()
    this.#pump()
  }

  /** Its letter could not be stored: that is tried again, not the handler. */
  async #buryAgain(delivery: Delivery, burial: Burial): Promise<void> {
    this.#slots.take()
    this.#slots.conclude()
    await this.#bury(delivery, burial).catch((error: unknown) => this.#again(delivery, error))
    this.#slots.free()
  }

  #again(delivery: Delivery, error: unknown): void {
    this.#options.log.error({ ...this.#labels, err: error }, 'a message could not be concluded; that is tried again')
    this.#hold(delivery, AGAIN_MS)
  }

  #begin(delivery: Delivery): void {
    const { source } = delivery
    tellStage('started', { ...this.#labels, source })
    delivery.phase = { kind: 'running' }
    delivery.isTouched = true
    if (delivery.attempts === 0) this.#options.metrics.age(this.#labels, Date.now() - source.publishedAt.getTime())
    delivery.attempts++
    delivery.attemptTimes = [...delivery.attemptTimes.slice(1 - KEPT_ATTEMPT_TIMES), new Date().toISOString()]
  }

  async #outcomeOf(delivery: Delivery): Promise<Outcome> {
    const identity = identify(this.#attempt, delivery)
    if (identity.kind === 'foreign') return { kind: this.#takes(delivery) ? 'done' : 'not-ours' }
    if (identity.kind === 'unreadable') return { kind: 'failed', error: identity.error }
    const outcome = await runAttempt(this.#attempt, delivery, identity.envelope)
    return { ...outcome, envelope: identity.envelope }
  }

  async #conclude(
    delivery: Delivery,
    outcome: Outcome,
    { isProbe, ms }: { isProbe: boolean; ms: number },
  ): Promise<void> {
    const { metrics, def } = this.#options
    const traceId = delivery.previousAttempt?.traceId
    if (outcome.kind === 'leaked') {
      this.#onLeak(delivery)
      return
    }
    if (outcome.kind === 'not-ours') {
      this.#leaveToOthers(delivery)
      return
    }
    if (outcome.kind === 'done') {
      metrics.processed(this.#labels, 'ok', ms, traceId)
      metrics.attempts(this.#labels, delivery.attempts)
      await dropStaleCopy(this.#options.lane, delivery)
      this.#settle(delivery, 'ack')
      return
    }
    const decision = decide(outcome.error, delivery, { policy: def.retry, isProbe })
    if (decision.verdict.code === 'BrokenCircuitError') {
      this.#takeBack(delivery)
      return
    }
    delivery.failures = decision.failures
    delivery.firstFailureAt = decision.firstFailureAt
    const label = decision.kind === 'retry' ? 'retry' : outcome.envelope ? 'dead' : 'invalid'
    metrics.processed(this.#labels, label, ms, traceId)
    if (decision.kind === 'bury') await this.#bury(delivery, { ...outcome, decision })
    else await this.#retry(delivery, { ...outcome, decision })
  }

  /** Whether this release's own filter takes it. */
  #takes({ source }: Delivery): boolean {
    const { names, def } = this.#options
    return filtersOf(def.source).some((filter) => covers(filter, names.strip(source.subject)))
  }

  /** Another release of the service runs beside this one, and the durable takes what only that one handles. */
  #leaveToOthers(delivery: Delivery): void {
    this.#here.delete(deliveryName(delivery))
    this.#options.settler.nak(delivery.reply, LEAVE_MS)
    this.#loopOf(delivery).release()
    const fields = { ...this.#labels, subject: delivery.source.subject }
    this.#options.log[this.#saidOthers ? 'debug' : 'warn'](
      fields,
      'left to another release of this service, which takes it',
    )
    this.#saidOthers = true
  }

  /** The breaker opened between the look and the call: that was no attempt. */
  #takeBack(delivery: Delivery): void {
    delivery.attempts--
    delivery.attemptTimes = delivery.attemptTimes.slice(0, -1)
    delivery.phase = { kind: 'ready' }
    this.#ready.unshift(delivery)
  }

  async #retry(delivery: Delivery, { decision, envelope }: Failed): Promise<void> {
    const { delayMs, verdict } = decision
    if (decision.pausesHandler) this.#gate.pause(delayMs)
    const nextAttemptAt = new Date(Date.now() + delayMs).toISOString()
    void leaveRecord(this.#options, delivery, { envelope, decision, nextAttemptAt })
    const fields = { ...this.#labels, code: verdict.code, attempt: delivery.attempts, delayMs }
    this.#options.log.debug(fields, 'attempt failed')
    const mayHold =
      !this.#stopping && delayMs <= HOLD_MOST_MS && this.#held.size < mostHeld(this.#options.def.concurrency)
    if (mayHold || !fitsLane(this.#options.lane, delivery)) this.#hold(delivery, delayMs)
    else await this.#moveToLane(delivery, delayMs)
  }

  /** Upholds R1. A letter that cannot be stored now is tried again, not the handler. */
  async #bury(delivery: Delivery, burial: Burial): Promise<void> {
    void leaveRecord(this.#options, delivery, {
      envelope: burial.envelope,
      decision: burial.decision,
      nextAttemptAt: null,
    })
    delivery.burial = burial
    await bury(this.#options, delivery, burial)
    this.#settle(delivery, 'term')
  }

  #hold(delivery: Delivery, delayMs: number): void {
    if (this.#stopping) {
      this.#handBack(delivery)
      return
    }
    this.#held.hold(delivery, delayMs)
    this.#loopOf(delivery).release()
  }

  #onDue(delivery: Delivery): void {
    this.#loopOf(delivery).reclaim()
    this.#ready.push(delivery)
    this.#pump()
  }

  async #moveToLane(delivery: Delivery, delayMs: number): Promise<void> {
    const recoveries = this.#recoveries
    await sendToLane(this.#options.lane, delivery, delayMs)
    this.#settle(delivery, 'ack')
    // The other side came back meanwhile, and what waited was released without this one.
    if (recoveries !== this.#recoveries) this.#releaseLane({ rampMs: 0 })
  }

  /** Upholds R1. */
  #settle(delivery: Delivery, how: 'ack' | 'term'): void {
    const { reply, source } = delivery
    if (reply !== '') {
      const name = deliveryName(delivery)
      this.#settled.add(name)
      this.#here.delete(name)
      this.#options.settler[how](reply, () => tellStage('settled', { ...this.#labels, source }))
    }
    this.#loopOf(delivery).release()
  }

  #handBack(delivery: Delivery): void {
    this.#here.delete(deliveryName(delivery))
    this.#options.settler.nak(delivery.reply)
  }

  #onLeak(delivery: Delivery): void {
    const { log, metrics, def, onFatal } = this.#options
    delivery.phase = { kind: 'leaked' }
    this.#slots.leak()
    const { leaked } = this.#slots
    metrics.leaked(this.#labels, leaked)
    const { service, handler } = this.#labels
    log.error(
      { ...this.#labels, ...delivery.source },
      'a handler ignored its signal and never returned; its slot is lost',
    )
    if (leaked * 2 < def.concurrency) return
    const detail = `handler ${handler} of ${service} lost ${leaked} of ${def.concurrency} slots to calls that never return`
    onFatal(new MeshError('MESH_HANDLER_LEAKED', `${detail}; make it honour ctx.signal`))
  }

  #keepOurs(): void {
    for (const delivery of this.#here.values()) if (!isLeaked(delivery)) this.#options.settler.working(delivery.reply)
  }

  #sayBreaker(state: BreakerState, isNews: boolean): void {
    const { metrics, log, onBreaker } = this.#options
    metrics.breaker(this.#labels, state === 'closed' ? 0 : state === 'open' ? 2 : 1)
    log[isNews ? 'warn' : 'debug']({ ...this.#labels, state }, `the breaker is ${state}`)
    if (isNews) onBreaker(state)
  }

  #tryOne(): void {
    const held = this.#held.first()
    if (this.#ready.length === 0 && held) this.#held.wake(held)
    else this.#pump()
  }

  #releaseWaiting(): void {
    this.#recoveries++
    this.#held.ramp(RAMP_MS)
    this.#releaseLane({ rampMs: RAMP_MS })
  }

  #releaseLane(options: { rampMs: number; most?: number }): void {
    const shouldGoOn = (): boolean => !this.#stopping && (options.most === 1 || this.#gate.isFlowing)
    releaseLane(this.#options.lane, { ...options, shouldGoOn }).catch((error: unknown) =>
      this.#options.log.warn(
        { ...this.#labels, err: error },
        'retries that wait were not released; they come in their own time',
      ),
    )
  }

  #setLimits(limit: number | undefined): void {
    const { concurrency } = this.#options.def
    this.#events?.setLimit(limit ?? 2 * concurrency)
    this.#lane?.setLimit(limit ?? concurrency)
  }

  #loopOf(delivery: Delivery): PullLoop {
    return delivery.via === 'event' ? this.#events! : this.#lane!
  }
}

type Outcome = (AttemptOutcome | { kind: 'not-ours' }) & { envelope?: Envelope }
type Failed = { envelope?: Envelope; decision: Extract<Decision, { kind: 'retry' }> }

/** A function, because the phase changes while its delivery is awaited. */
const isLeaked = ({ phase }: Delivery): boolean => phase.kind === 'leaked'

/**
 * Runs one handler in the order of each key: shares the partitions of its stream out among the instances of the service,
 * and does the events of those it has.
 *
 * R1  A partition is begun only by the instance its record names, and only while that instance's lease holds: looked at
 *     by its own clocks before each start (membership.ts L1).
 * R2  A partition is taken only from nobody, or from an instance whose lease the server has let go.
 * R3  No more than `concurrency` attempts run at once, over all partitions; a leaked one keeps its slot and its key.
 * R4  While the breaker is open nothing is read and nothing starts but the probe (gate.ts).
 * R5  After `stop()` every partition is free for others, with all that is settled written down.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Subscription } from '@nats-io/transport-node'
import { MeshError } from '../../errors.ts'
import type { BreakerState } from '../../failure/breaker.ts'
import type { AttemptDeps } from '../../service/run-attempt.ts'
import { bury, leaveRecord } from '../after-failure.ts'
import type { Burial, Delivery } from '../delivery.ts'
import { Gate } from '../gate.ts'
import type { Limits } from '../handler-runner.ts'
import { creditsFor, type RateLimit } from '../rate-limit.ts'
import type { RunnerOptions } from '../runner-options.ts'
import { Slots } from '../slots.ts'
import { judge, type Judgement, tryOnce } from '../try-once.ts'
import { assign } from './assignment.ts'
import { Membership } from './membership.ts'
import { type Line, Partition } from './partition.ts'
import type { PartitionRecord } from './partition-record.ts'
import type { Beginning, PartitionStore, StoredRecord } from './partition-store.ts'

export type OrderedOptions = RunnerOptions & {
  store: PartitionStore
  beginning: Beginning
  /** Whole seconds, in ms. */
  leaseMs: number
  /** What each partition takes, as the server sees it. */
  filtersOf: (partition: number) => readonly string[]
}

const RAMP_MS = 5000
const LEAK_AFTER_MS = 10_000
/** When a letter could not be stored. */
const AGAIN_MS = 5000
/** For writing the last records when the service stops. */
const LAST_WRITES_MS = 5000
const CLAIM_MS = 5000

type Ready = { partition: Partition; line: Line }

export class OrderedRunner {
  readonly #options: OrderedOptions
  readonly #attempt: AttemptDeps
  readonly #labels: { service: string; handler: string }
  readonly #gate: Gate
  readonly #slots: Slots
  readonly #instance = randomBytes(6).toString('hex')
  readonly #membership: Membership
  readonly #owned = new Map<number, Partition>()
  readonly #leaving = new Set<Partition>()
  readonly #abort = new AbortController()
  #ready: Ready[] = []
  #epoch: number
  #concurrency: number
  #rateLimit: RateLimit | undefined
  #limit: number | undefined
  #members: readonly string[] = []
  #fault: string | undefined
  #turn: Promise<void> | undefined
  #mustTurn = false
  #timer: NodeJS.Timeout | undefined
  #nudges: Subscription | undefined
  #stopping = false

  constructor(options: OrderedOptions) {
    const { service, handler, def, metrics, store, connection, leaseMs } = options
    this.#options = options
    this.#epoch = options.epoch
    this.#labels = { service: service.name, handler }
    this.#concurrency = def.concurrency
    this.#rateLimit = def.rateLimit
    this.#slots = new Slots(def.concurrency, (running) => metrics.inflight(this.#labels, running))
    this.#gate = new Gate({
      onGo: () => this.#pump(),
      onLimit: (limit) => this.#setLimits(limit),
      onTryOne: () => this.#tryOne(),
      onFetchOne: () => undefined,
      onRecovered: () => {
        for (const partition of this.#owned.values()) partition.wake(RAMP_MS)
      },
      onState: (state, isNews) => this.#sayBreaker(state, isNews),
    })
    this.#gate.limitRate(def.rateLimit)
    this.#membership = new Membership({
      store,
      connection,
      instance: this.#instance,
      leaseMs,
      onLost: () => this.#onLeaseLost(),
      onHolds: () => this.#pump(),
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
    metrics.breaker(this.#labels, 0)
    metrics.limits(this.#labels, this.#concurrency, this.#rateLimit?.perSecond)
  }

  start(): void {
    const { nc, store, leaseMs, log } = this.#options
    this.#nudges = nc.subscribe(store.nudgeSubject, { callback: (error) => void (error ?? this.#takeTurn()) })
    this.#timer = setInterval(() => {
      // By itself: however long a look takes, the lease is kept.
      void this.#membership.renew().catch(() => undefined)
      this.#takeTurn()
    }, leaseMs / 5)
    this.#takeTurn()
    store.nudge()
    log.info({ ...this.#labels, instance: this.#instance }, 'joins those who share the partitions')
  }

  /** The partitions this instance has. */
  get partitions(): ReadonlyMap<number, Partition> {
    return this.#owned
  }

  /** Why this handler is not ready; empty when it is. */
  faults(): string[] {
    const { handler } = this.#options
    const { leaked } = this.#slots
    const still = [...this.#owned.values()].find(({ fault }) => fault !== undefined)
    return [
      ...(this.#fault ? [`handler ${handler}: who has its partitions cannot be known: ${this.#fault}`] : []),
      ...(still ? [`handler ${handler}: partition ${still.partition} cannot be read: ${still.fault}`] : []),
      ...(leaked > 0 ? [`handler ${handler}: ${leaked} slots leaked`] : []),
    ]
  }

  /** Upholds R3 with other limits from now on; attempts that run are not cut short. */
  adjust({ concurrency = this.#concurrency, rateLimit = this.#rateLimit }: Limits): void {
    this.#concurrency = concurrency
    this.#rateLimit = rateLimit ?? undefined
    this.#slots.resize(concurrency)
    this.#gate.limitRate(this.#rateLimit)
    if (this.#gate.isFlowing) this.#setLimits(undefined)
    this.#options.metrics.limits(this.#labels, concurrency, this.#rateLimit?.perSecond)
    this.#pump()
  }

  /** The event stream was made anew: what is known by sequence is void. */
  renewEpoch(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#dropAll()
    this.#takeTurn()
  }

  /** Upholds R5. `drainMs` bounds the wait for running attempts; then their signal aborts. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true
    this.#nudges?.unsubscribe()
    this.#gate.stop()
    await this.#turn
    const partitions = [...this.#owned.values(), ...this.#leaving]
    for (const partition of partitions) partition.leave()
    const isUp = this.#options.connection.isUp()
    await this.#slots.drain(isUp ? drainMs : Math.min(drainMs, LAST_WRITES_MS), () =>
      this.#abort.abort(new MeshError('MESH_CLOSED', 'the service stops and cannot wait longer')),
    )
    const last = Promise.all(partitions.map((partition) => partition.release()))
    await Promise.race([last, sleep(LAST_WRITES_MS, undefined, { ref: false })])
    // Not before: while something runs, nobody else may have it.
    clearInterval(this.#timer)
    this.#dropAll()
    await this.#membership.leave().catch(() => undefined)
    this.#options.store.nudge()
    this.#say()
  }

  #pump(): void {
    while (!this.#stopping && !this.#slots.isFull && this.#membership.holds) {
      while (this.#ready[0] && !this.#ready[0].partition.mayBegin(this.#ready[0].line)) this.#ready.shift()
      const next = this.#ready[0]
      if (!next || !this.#gate.mayStart()) return
      this.#ready.shift()
      void this.#run(next)
    }
  }

  /** Upholds R1 and R3. Never throws. */
  async #run(ready: Ready): Promise<void> {
    const { partition, line } = ready
    const isProbe = !this.#gate.isFlowing
    const delivery = partition.begin(line)
    this.#slots.take()
    let isLeaked = false
    if (delivery.burial) {
      this.#slots.conclude()
      await this.#bury(ready, delivery, delivery.burial)
    } else {
      const tried = await tryOnce(this.#options, this.#attempt, delivery)
      isLeaked = tried.kind === 'leaked'
      if (!isLeaked) this.#slots.conclude()
      // Whoever has it now does it again; what came of it here is nobody's business.
      if (partition.lost.aborted) {
        if (isLeaked) this.#slots.leak()
      } else {
        const concluding = this.#conclude(ready, delivery, judge(this.#options, delivery, tried, isProbe))
        this.#pump()
        await concluded(concluding, (error) => this.#again(ready, delivery, error))
      }
    }
    if (!isLeaked) this.#slots.free()
    if (isProbe) this.#gate.afterProbe()
    this.#pump()
  }

  async #conclude(ready: Ready, delivery: Delivery, judgement: Judgement): Promise<void> {
    const { partition, line } = ready
    switch (judgement.kind) {
      case 'leaked':
        partition.stuck(line)
        return this.#onLeak(delivery)
      case 'not-tried':
      case 'not-ours':
        return partition.again(line)
      case 'done':
        return this.#settle(partition, line, delivery)
      case 'bury':
        return this.#bury(ready, delivery, judgement.burial)
      case 'retry':
        return this.#retry(ready, delivery, judgement)
    }
  }

  #settle(partition: Partition, line: Line, delivery: Delivery): void {
    if (partition.lost.aborted) return
    delivery.phase = { kind: 'ready' }
    partition.settle(line)
  }

  #retry({ partition, line }: Ready, delivery: Delivery, { decision, envelope }: Retry): void {
    const { delayMs, verdict } = decision
    if (decision.pausesHandler) this.#gate.pause(delayMs)
    const dueAt = Date.now() + delayMs
    void leaveRecord(this.#options, delivery, { envelope, decision, nextAttemptAt: new Date(dueAt).toISOString() })
    this.#options.log.debug(
      { ...this.#labels, code: verdict.code, attempt: delivery.attempts, delayMs },
      'attempt failed',
    )
    this.#hold(partition, line, { delivery, dueAt, delayMs })
  }

  #hold(
    partition: Partition,
    line: Line,
    { delivery, dueAt, delayMs }: { delivery: Delivery; dueAt: number; delayMs: number },
  ): void {
    const { attempts, failures, firstFailureAt = 0 } = delivery
    partition.hold(line, { attempts, failures, firstFailureAt, dueAt, delayMs })
  }

  /** A letter that cannot be stored now is tried again, not the handler. */
  async #bury(ready: Ready, delivery: Delivery, burial: Burial): Promise<void> {
    const { partition, line } = ready
    const { envelope, decision } = burial
    void leaveRecord(this.#options, delivery, { envelope, decision, nextAttemptAt: null })
    delivery.burial = burial
    try {
      await partition.confirm()
      await bury(this.#options, delivery, burial)
      this.#settle(partition, line, delivery)
    } catch (error) {
      this.#again(ready, delivery, error)
    }
  }

  #again({ partition, line }: Ready, delivery: Delivery, error: unknown): void {
    if (partition.lost.aborted) return
    this.#options.log.error({ ...this.#labels, err: error }, 'a message could not be concluded; that is tried again')
    this.#hold(partition, line, { delivery, dueAt: Date.now() + AGAIN_MS, delayMs: AGAIN_MS })
  }

  #onLeak(delivery: Delivery): void {
    const { log, metrics, onFatal } = this.#options
    delivery.phase = { kind: 'leaked' }
    this.#slots.leak()
    const { leaked } = this.#slots
    metrics.leaked(this.#labels, leaked)
    log.error(
      { ...this.#labels, ...delivery.source },
      'a handler ignored its signal and never returned; its slot is lost, and its key stands still',
    )
    if (leaked * 2 < this.#concurrency) return
    const { service, handler } = this.#labels
    const detail = `handler ${handler} of ${service} lost ${leaked} of ${this.#concurrency} slots to calls that never return`
    onFatal(new MeshError('MESH_HANDLER_LEAKED', `${detail}; make it honour ctx.signal`))
  }

  /** One look at who is here and who has what; looks do not overlap. */
  #takeTurn(): void {
    this.#mustTurn = true
    this.#turn ??= this.#turns().finally(() => {
      this.#turn = undefined
    })
  }

  async #turns(): Promise<void> {
    while (this.#mustTurn && !this.#stopping && !this.#options.nc.isClosed()) {
      this.#mustTurn = false
      try {
        await this.#lookAround()
        this.#fault = undefined
      } catch (error) {
        this.#fault = error instanceof Error ? error.message : String(error)
      }
    }
  }

  async #lookAround(): Promise<void> {
    const { store, beginning } = this.#options
    await this.#membership.renew()
    // In this order: an owner that is not here now had let go of what it had then. The other way round it could have come
    // and begun in between.
    const records = await store.readAll()
    const members = await store.members()
    const isSettled = members.join() === this.#members.join()
    this.#members = members
    const wanted = assign(members, beginning.partitions)
    const mine = wanted.flatMap((member, partition) => (member === this.#instance ? [partition] : []))
    const free = mine.filter((partition) => !this.#owned.has(partition) && this.#isFree(records.get(partition)))
    if (!this.#stopping) await Promise.all(free.map((partition) => this.#claim(partition, records.get(partition))))
    // Who only passes by moves nothing.
    if (isSettled)
      for (const partition of this.#owned.values())
        if (wanted[partition.partition] !== this.#instance) void this.#handOver(partition)
    this.#say()
  }

  /** Upholds R2. */
  #isFree(stored: StoredRecord | undefined): boolean {
    const owner = stored?.record.owner ?? ''
    return owner === '' || owner === this.#instance || !this.#members.includes(owner)
  }

  /** @throws when the server does not answer */
  async #claim(partition: number, found: StoredRecord | undefined): Promise<void> {
    const { store, metrics, log } = this.#options
    if ([...this.#leaving].some((one) => one.partition === partition)) return
    const before = found?.record
    const record = this.#taken(before)
    const revision = await store.write(partition, record, found?.revision ?? 0, CLAIM_MS)
    // Somebody else was quicker, or an answer was lost: the next look tells.
    if (revision === undefined || this.#stopping) return
    if (before?.owner) metrics.takeover(this.#labels)
    log.info({ ...this.#labels, partition, fence: record.fence, from: before?.owner ?? '' }, 'partition taken over')
    this.#owned.set(
      partition,
      new Partition({
        runner: { ...this.#options, epoch: this.#epoch },
        store,
        membership: this.#membership,
        partition,
        filters: this.#options.filtersOf(partition),
        claimed: { record, revision },
        limit: this.#limit ?? this.#credits(),
        port: {
          onReady: (owner, line) => {
            this.#ready.push({ partition: owner, line })
            this.#pump()
          },
          onLost: (owner) => this.#onPartitionLost(owner),
        },
      }),
    )
  }

  /** What is written to take a partition over. The fence also grows over a loss of the bucket, as far as clocks do. */
  #taken(before: PartitionRecord | undefined): PartitionRecord {
    const { beginning } = this.#options
    const owner = this.#instance
    const fence = Math.max((before?.fence ?? 0) + 1, Date.now())
    if (before?.epoch === this.#epoch) return { ...before, owner, fence, writes: 0 }
    // The stream was made anew since: all of it is for this handler.
    const read = before === undefined && beginning.epoch === this.#epoch ? beginning.read : 0
    return { epoch: this.#epoch, fence, owner, writes: 0, read, running: [], open: [] }
  }

  async #handOver(partition: Partition): Promise<void> {
    if (this.#leaving.has(partition)) return
    this.#leaving.add(partition)
    partition.leave()
    await partition.untilIdle()
    if (this.#stopping) return
    await partition.release()
    this.#forget(partition)
    this.#leaving.delete(partition)
    this.#options.log.info({ ...this.#labels, partition: partition.partition }, 'partition handed over')
    this.#options.store.nudge()
  }

  #onPartitionLost(partition: Partition): void {
    if (partition.lost.aborted) return
    this.#options.log.warn(
      { ...this.#labels, partition: partition.partition, fence: partition.fence },
      'partition lost: another instance has it',
    )
    partition.drop()
    this.#forget(partition)
    this.#pump()
  }

  #onLeaseLost(): void {
    if (this.#owned.size > 0)
      this.#options.log.warn(
        { ...this.#labels, partitions: this.#owned.size },
        'this instance was away for longer than its lease: its partitions are free for others',
      )
    this.#dropAll()
  }

  #dropAll(): void {
    for (const partition of this.#owned.values()) partition.drop()
    this.#owned.clear()
    this.#ready = []
  }

  #forget(partition: Partition): void {
    if (this.#owned.get(partition.partition) === partition) this.#owned.delete(partition.partition)
  }

  #sayBreaker(state: BreakerState, isNews: boolean): void {
    const { metrics, log, onBreaker } = this.#options
    metrics.breaker(this.#labels, state === 'closed' ? 0 : state === 'open' ? 2 : 1)
    log[isNews ? 'warn' : 'debug']({ ...this.#labels, state }, `the breaker is ${state}`)
    if (isNews) onBreaker(state)
  }

  #tryOne(): void {
    if (this.#ready.length === 0) for (const partition of this.#owned.values()) if (partition.wake(0, 1)) return
    this.#pump()
  }

  #setLimits(limit: number | undefined): void {
    this.#limit = limit
    for (const partition of this.#owned.values()) partition.setLimit(limit ?? this.#credits())
  }

  /** Of each partition: any one of them may be the only one that has work. */
  #credits(): number {
    return Math.max(16, Math.min(256, creditsFor(this.#concurrency, this.#rateLimit)))
  }

  #say(): void {
    const all = [...this.#owned.values()]
    const sum = (count: (partition: Partition) => number): number => all.reduce((total, one) => total + count(one), 0)
    this.#options.metrics.partitions(this.#labels, {
      owned: all.length,
      held: sum(({ heldKeys }) => heldKeys),
      parked: sum(({ parkedKeys }) => parkedKeys),
    })
  }
}

type Retry = Extract<Judgement, { kind: 'retry' }>

async function concluded(concluding: Promise<void>, onError: (error: unknown) => void): Promise<void> {
  try {
    await concluding
  } catch (error) {
    onError(error)
  }
}

/**
 * Runs one handler in the order of each key: the events of the partitions this instance has (sharing.ts), until `stop()`.
 *
 * R1  Nothing starts while this instance's lease is in doubt, by its own clocks, looked at before each start.
 * R2  No more than `concurrency` attempts run at once, over all partitions; a leaked one keeps its slot and its key.
 * R3  While the breaker is open nothing is read and nothing starts but the probe; while it is paused, nothing at all (gate.ts).
 * R4  What an attempt came to counts only if the partition is still this instance's; its outputs are published only then.
 * R5  After `stop()` every partition is free for others, with all that is settled written down.
 */
import { MeshError } from '../../errors.ts'
import type { AttemptDeps } from '../../service/attempt.ts'
import type { Delivery } from '../delivery.ts'
import { Gate } from '../gate.ts'
import { creditsFor, type Limits, type RateLimit } from '../rate-limit.ts'
import type { RunnerOptions, RunnerState } from '../runner-options.ts'
import { attemptDeps, checkLeaks, sayBreaker, sayLeak } from '../runner-parts.ts'
import { Slots } from '../slots.ts'
import { judge, tryOnce } from '../try-once.ts'
import { HeldKeys } from './held-keys.ts'
import { KeyLane } from './key-lane.ts'
import { OrderedConclusion } from './ordered-conclusion.ts'
import { OrderedSuspects, type Ready } from './ordered-suspects.ts'
import type { Line } from './key-turns.ts'
import type { Partition } from './partition.ts'
import { Sharing, type SharingOptions } from './sharing.ts'

export type OrderedOptions = RunnerOptions & Pick<SharingOptions, 'store' | 'beginning' | 'leaseMs' | 'filterOf'>

const RAMP_MS = 5000
/** For writing the last records when the service stops. */
const LAST_WRITES_MS = 5000
/** Of each partition, since any one of them may be the only one that has work. */
const LEAST_CREDITS = 16
const MOST_CREDITS = 256

export class OrderedRunner {
  readonly #options: OrderedOptions
  readonly #attempt: AttemptDeps
  readonly #gate: Gate
  readonly #slots: Slots
  readonly #sharing: Sharing
  readonly #abort = new AbortController()
  readonly #suspects: OrderedSuspects
  readonly #conclusion: OrderedConclusion
  readonly #lane: KeyLane
  readonly #held: HeldKeys
  #leaveSolitude: (() => void) | undefined
  #ready: Ready[] = []
  #concurrency: number
  #rateLimit: RateLimit | undefined
  /** Set by the breaker; undefined: as many as the handler is made for. */
  #limit: number | undefined
  #isStopping = false

  constructor(options: OrderedOptions) {
    const { def, metrics, labels, store, beginning, leaseMs, filterOf } = options
    this.#options = options
    this.#concurrency = def.concurrency
    this.#rateLimit = def.rateLimit
    this.#slots = new Slots(def.concurrency, (running) => metrics.inflight(labels, running))
    this.#gate = new Gate({
      onGo: () => this.#pump(),
      onLimit: (limit) => this.#setLimits(limit),
      onTryOne: () => this.#tryOne(),
      onFetchOne: () => undefined,
      onRecovered: () => {
        for (const partition of this.partitions.values()) partition.wake(RAMP_MS)
      },
      onState: (state, isNews) => sayBreaker(options, state, isNews),
    })
    this.#gate.limitRate(def.rateLimit)
    this.#sharing = new Sharing({
      runner: options,
      store,
      beginning,
      leaseMs,
      filterOf,
      limit: () => this.#limit ?? this.#credits(),
      usualLimit: () => this.#credits(),
      onReady: (partition, line) => {
        if (isSuspect(partition, line)) this.#suspects.add({ partition, line })
        else this.#enqueue({ partition, line })
      },
      onRestored: () => this.hear(),
      onChange: () => this.#pump(),
    })
    this.#suspects = new OrderedSuspects(options, {
      onClear: (ready) => this.#enqueue(ready),
      isOpen: () => this.#sharing.membership.holds && this.#gate.isOpen,
      mayBegin: () => this.#sharing.membership.holds && this.#gate.mayStart(),
      run: (ready) => this.#run(ready),
      isStopping: () => this.#isStopping,
    })
    this.#attempt = attemptDeps(options, {
      gate: this.#gate,
      stopping: this.#abort.signal,
      onLate: (attempt) => void this.#suspects.late(attempt),
    })
    const durable = options.names.durable(options.service.name, options.handler)
    this.#held = new HeldKeys({ ...options, durable, owned: () => this.partitions })
    this.#conclusion = new OrderedConclusion(options, {
      stopping: this.#abort.signal,
      onDelay: (delayMs) => this.#gate.delay(delayMs),
      held: this.#held,
    })
    const { partitions } = def.source.stream
    this.#lane = new KeyLane({ ...options, partitions, owned: () => this.partitions })
    metrics.breaker(labels, 0)
    this.#sayLimits()
  }

  start(): void {
    this.#leaveSolitude = this.#options.solitude.join(this.#slots.party(() => this.#pump()))
    this.#sharing.start()
    this.#lane.start()
    this.#held.start()
  }

  /** Somebody says that there is something on its lane, or that letters of it were dealt with. */
  hear(): void {
    void this.#lane.look()
    void this.#held.look()
  }

  /** The partitions this instance has. */
  get partitions(): ReadonlyMap<number, Partition> {
    return this.#sharing.partitions
  }

  /** Why this handler is not ready; empty when it is. */
  faults(): string[] {
    const { handler } = this.#options
    const { leaked } = this.#slots
    const still = [...this.partitions.values()].find(({ fault }) => fault !== undefined)
    const { fault } = this.#sharing
    return [
      ...(fault ? [`handler ${handler}: who has its partitions cannot be known: ${fault}`] : []),
      ...(still ? [`handler ${handler}: partition ${still.partition} stands still: ${still.fault}`] : []),
      ...(leaked > 0 ? [`handler ${handler}: ${leaked} slots leaked`] : []),
    ]
  }

  /** Upholds R2 with other limits from now on; attempts that run are not cut short. */
  adjust({ concurrency = this.#concurrency, rateLimit = this.#rateLimit }: Limits): void {
    this.#concurrency = concurrency
    this.#rateLimit = rateLimit ?? undefined
    this.#slots.resize(concurrency)
    this.#gate.limitRate(this.#rateLimit)
    if (this.#gate.mayPull) this.#setLimits(undefined)
    this.#sayLimits()
    checkLeaks(this.#options, this.#slots.leaked, this.#concurrency)
    this.#pump()
  }

  /** Nothing is read and nothing starts; what is read waits here, unacked as ever, and what runs ends as always. */
  setPaused(isPaused: boolean): void {
    this.#gate.setPaused(isPaused)
  }

  /** What it does now. */
  state(): RunnerState {
    const counts = [...this.partitions.values()].map((one) => one.counts)
    return {
      concurrency: this.#concurrency,
      rateLimit: this.#rateLimit,
      ...this.#slots.counts,
      ready: this.#ready.filter(({ partition, line }) => partition.mayBegin(line)).length,
      retrying: counts.reduce((sum, { held }) => sum + held, 0),
      gate: this.#gate.reading(),
      partitions: counts.length,
      heldKeys: counts.reduce((sum, { behindLetters }) => sum + behindLetters, 0),
      fullPartitions: [...this.partitions.values()].flatMap(({ isFull, partition }) => (isFull ? [partition] : [])),
    }
  }

  renewEpoch(epoch: number): void {
    this.#sharing.renewEpoch(epoch)
  }

  /** Upholds R5. `drainMs` bounds the wait for running attempts; then their signal aborts. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true
    this.#gate.stop()
    this.#lane.stop()
    this.#held.stop()
    await this.#sharing.leave()
    const isUp = this.#options.connection.isUp()
    await this.#slots.drain(isUp ? drainMs : Math.min(drainMs, LAST_WRITES_MS), () =>
      this.#abort.abort(new MeshError('MESH_CLOSED', 'the service stops and cannot wait longer')),
    )
    this.#leaveSolitude?.()
    this.#suspects.letGo()
    await this.#sharing.release(LAST_WRITES_MS)
  }

  #enqueue(ready: Ready): void {
    this.#ready.push(ready)
    this.#pump()
  }

  /** Upholds R1. */
  #pump(): void {
    while (!this.#isStopping && !this.#slots.isFull && this.#sharing.membership.holds) {
      while (this.#ready[0] && !this.#ready[0].partition.mayBegin(this.#ready[0].line)) this.#ready.shift()
      const next = this.#ready[0]
      if (!next || !this.#gate.mayStart()) return
      this.#ready.shift()
      void this.#run(next)
    }
  }

  /** Upholds R2 and R4. Never throws. */
  async #run(ready: Ready): Promise<void> {
    const { partition, line } = ready
    const isProbe = !this.#gate.isFlowing
    const begun = partition.work.begin(line)
    this.#slots.take()
    this.#slots.show()
    const delivery = begun instanceof Promise ? await this.#read(ready, begun) : begun
    if (!delivery || !(await this.#suspects.mayBegin(ready, delivery))) {
      this.#slots.conclude()
      this.#slots.free()
      if (isProbe) this.#gate.afterProbe()
      this.#pump()
      return
    }
    const tried = delivery.burial ? undefined : await tryOnce(this.#options, this.#attempt, delivery)
    const isLeaked = tried?.kind === 'leaked'
    const loss = 'its slot is lost, and its key stands still'
    if (isLeaked) sayLeak(this.#options, delivery, { slots: this.#slots, concurrency: this.#concurrency, loss })
    else {
      this.#slots.conclude()
      this.#slots.show()
    }
    this.#suspects.onBack(ready, delivery, isLeaked)
    if (!partition.lost.aborted) {
      const judgement = tried
        ? judge(this.#options, delivery, tried, isProbe)
        : { kind: 'bury' as const, burial: delivery.burial! }
      const concluding = this.#conclusion.reach(ready, delivery, judgement)
      // What is left may wait for the server; the next event need not wait for that.
      this.#pump()
      await concluding
    }
    if (!isLeaked) this.#slots.free()
    if (isProbe) this.#gate.afterProbe()
    this.#pump()
  }

  /** What a run sent, from the lane. Undefined where it is gone, or cannot be read now. */
  async #read(ready: Ready, begun: Promise<Delivery | undefined>): Promise<Delivery | undefined> {
    try {
      const delivery = await begun
      if (!delivery) await ready.partition.work.settleSent(ready.line)
      return delivery
    } catch (error) {
      this.#conclusion.unread(ready, error)
      return undefined
    }
  }

  #tryOne(): void {
    // What is of a partition that is being handed over begins nothing here.
    const hasReady = this.#ready.some(({ partition, line }) => partition.mayBegin(line))
    if (!hasReady) for (const partition of this.partitions.values()) if (partition.wake(0, 1)) return
    this.#pump()
  }

  #setLimits(limit: number | undefined): void {
    this.#limit = limit
    for (const partition of this.partitions.values()) partition.setLimit(limit ?? this.#credits())
  }

  #credits(): number {
    return Math.max(LEAST_CREDITS, Math.min(MOST_CREDITS, creditsFor(this.#concurrency, this.#rateLimit)))
  }

  #sayLimits(): void {
    this.#options.metrics.limits(this.#options.labels, this.#concurrency, this.#rateLimit?.perSecond)
  }
}

/** What may be what ends its process. */
const isSuspect = ({ doubts }: Partition, { current, items }: Line): boolean =>
  current ? current.isOld : doubts.isIn(items[0]!.seq)

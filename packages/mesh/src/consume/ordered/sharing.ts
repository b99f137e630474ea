/**
 * Shares the partitions of a handler out among the instances of its service.
 *
 * S1  A partition is taken only from nobody, or from an instance whose lease the server has let go; by compare-and-set on the
 *     record that said so.
 * S2  What should go to another instance is let go only once nothing of it runs, with all that is settled written down.
 * S3  What the record says is this instance's and it has not, because the answer to a write was lost or the write failed, it
 *     takes if it should have it, and else lets go at its next look: nobody else may.
 * S4  Whoever only passes by moves nothing: partitions are let go when two looks in a row find the same instances.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Subscription } from '@nats-io/transport-node'
import type { RunnerOptions } from '../runner-options.ts'
import { assign } from './assignment.ts'
import { Membership } from './membership.ts'
import { Partition } from './partition.ts'
import type { KeyCounts, PartitionPort } from './partition-options.ts'
import type { Beginning, Members, PartitionStore, StoredRecord } from './partition-store.ts'
import { takeover } from './takeover.ts'

export type SharingOptions = {
  runner: RunnerOptions
  store: PartitionStore
  beginning: Beginning
  /** Whole seconds, in ms. */
  leaseMs: number
  /** What each partition takes, as the server sees it. */
  filterOf: (partition: number) => string
  /** How many events of a partition are asked for at once; `usualLimit` when nothing stands before the handler. */
  limit: () => number
  usualLimit: () => number
  onReady: PartitionPort['onReady']
  onRestored: PartitionPort['onRestored']
  /** This instance's lease holds again after a doubt, or what it had is gone. */
  onChange: () => void
}

const CLAIM_MS = 5000
/** How long a look that has begun is waited for when the service stops. */
const LOOK_MS = 2000

export class Sharing {
  readonly membership: Membership
  readonly #options: SharingOptions
  readonly #labels: { service: string; handler: string }
  readonly #instance = randomBytes(6).toString('hex')
  readonly #owned = new Map<number, Partition>()
  readonly #leaving = new Set<Partition>()
  #epoch: number
  #members: Members = { here: [], staying: [] }
  #fault: string | undefined
  #turn: Promise<void> | undefined
  #mustTurn = false
  #timer: NodeJS.Timeout | undefined
  #nudges: Subscription | undefined
  #isStopping = false

  constructor(options: SharingOptions) {
    const { runner, store, leaseMs } = options
    this.#options = options
    this.#epoch = runner.epoch
    this.#labels = { service: runner.service.name, handler: runner.handler }
    this.membership = new Membership({
      store,
      connection: runner.connection,
      instance: this.#instance,
      leaseMs,
      onLost: () => this.#onLeaseLost(),
      onHolds: options.onChange,
    })
  }

  /** What this instance has, by number. */
  get partitions(): ReadonlyMap<number, Partition> {
    return this.#owned
  }

  /** Why it is not known who has what; undefined when all is well. */
  get fault(): string | undefined {
    return this.#fault
  }

  start(): void {
    const { runner, store, leaseMs } = this.#options
    this.#nudges = runner.nc.subscribe(store.nudgeSubject, {
      callback: (error) => {
        if (!error) this.#look()
      },
    })
    this.#timer = setInterval(() => {
      // By itself: however long a look takes, the lease is kept.
      void this.membership.renew().catch(() => undefined)
      this.#look()
    }, leaseMs / 5)
    this.#look()
    store.nudge()
    runner.log.info({ ...this.#labels, instance: this.#instance }, 'joins those who share the partitions')
  }

  /** The event stream was made anew: what is known by sequence is void. */
  renewEpoch(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#dropAll()
    this.#look()
  }

  /** Takes nothing more, begins nothing more, and hands over each partition as soon as nothing of it runs. */
  async leave(): Promise<void> {
    this.#isStopping = true
    this.#nudges?.unsubscribe()
    for (const partition of this.#owned.values()) void this.#handOver(partition)
    const { runner, store } = this.#options
    const said = runner.connection.isUp() && store.announceLeaving(this.#instance).catch(() => undefined)
    // What a silent server holds up may go on: a look takes nothing any more, and what was not said costs the others time.
    await Promise.race([Promise.all([this.#turn, said]), sleep(LOOK_MS, undefined, { ref: false })])
    store.nudge()
  }

  /** Lets go of what is left, though something of it may run; what could not be written the successors do again. */
  async release(withinMs: number): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, withinMs)
    await Promise.race([Promise.all([...this.#owned.values()].map((partition) => partition.release())), late.promise])
    clearTimeout(timer)
    // Not before: while something runs, nobody else may have it.
    clearInterval(this.#timer)
    this.#dropAll()
    await this.membership.leave().catch(() => undefined)
    this.#options.store.nudge()
    this.#say()
  }

  /** One look at who is here and who has what; looks do not overlap. */
  #look(): void {
    this.#mustTurn = true
    this.#turn ??= this.#turns().finally(() => {
      this.#turn = undefined
    })
  }

  async #turns(): Promise<void> {
    while (this.#mustTurn && !this.#isStopping && !this.#options.runner.nc.isClosed()) {
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
    await this.membership.renew()
    // In this order: an owner that is not here now had let go of what it had then. The other way round it could have come
    // and begun in between.
    const records = await store.readAll()
    const members = await store.members()
    const isSettled = members.staying.join() === this.#members.staying.join()
    this.#members = members
    const keyed = assign(members.staying, beginning.partitions)
    // What has no key is behind the last one (ADR 21), and seldom: it counts for nobody's share.
    const wanted = [...keyed, ...keyed.slice(0, 1)]
    const free = [...wanted.entries()].filter(
      ([partition, member]) => member === this.#instance && this.#mayTake(partition, records.get(partition)),
    )
    const left = [...records].filter(
      ([partition, { record }]) =>
        record.owner === this.#instance && wanted[partition] !== this.#instance && !this.#owned.has(partition),
    )
    // One that fails keeps no other from being taken or handed over.
    const done = await Promise.allSettled([
      ...free.map(([partition]) => this.#claim(partition, records.get(partition))),
      ...left.map(([partition, found]) => this.#letGo(partition, found)),
    ])
    // Upholds S4.
    if (isSettled)
      for (const partition of this.#owned.values())
        if (wanted[partition.partition] !== this.#instance) void this.#handOver(partition)
    this.#say()
    const failed = done.find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
  }

  /** Upholds S1. */
  #mayTake(partition: number, stored: StoredRecord | undefined): boolean {
    if (this.#owned.has(partition) || this.#isStopping) return false
    const owner = stored?.record.owner ?? ''
    return owner === '' || owner === this.#instance || !this.#members.here.includes(owner)
  }

  /** Upholds S3. @throws when the server does not answer */
  async #letGo(partition: number, { record, revision }: StoredRecord): Promise<void> {
    const { store } = this.#options
    const freed = { ...record, owner: '', writes: record.writes + 1 }
    if ((await store.write(partition, freed, { revision, timeoutMs: CLAIM_MS })) !== undefined) store.nudge()
  }

  /** @throws when the server does not answer */
  async #claim(partition: number, found: StoredRecord | undefined): Promise<void> {
    const { store, runner, beginning, filterOf } = this.#options
    const { losses } = this.membership
    const filter = filterOf(partition)
    const before = found?.record
    const record = await takeover(before, { runner, beginning, filter, epoch: this.#epoch, instance: this.#instance })
    const revision = await store.write(partition, record, { revision: found?.revision ?? 0, timeoutMs: CLAIM_MS })
    // Somebody else was quicker, or an answer was lost: the next look tells.
    if (revision === undefined || record.epoch !== this.#epoch) return
    // There is no next look.
    if (this.#isStopping) return await this.#letGo(partition, { record, revision })
    // The lease was lost while this was on its way, so it was free for others at once.
    if (losses !== this.membership.losses) return
    if (before?.owner && before.owner !== this.#instance) runner.metrics.takeover(this.#labels)
    runner.log.info({ ...this.#labels, partition, fence: record.fence, from: before?.owner ?? '' }, 'partition taken')
    const { onReady, onRestored } = this.#options
    this.#owned.set(
      partition,
      new Partition({
        runner: { ...runner, epoch: this.#epoch },
        store,
        membership: this.membership,
        partition,
        filter,
        claimed: { record, revision },
        limit: this.#options.limit(),
        usualLimit: this.#options.usualLimit(),
        port: { onReady, onRestored, onLost: (owner, why) => this.#onPartitionLost(owner, why) },
      }),
    )
  }

  /** Upholds S2. */
  async #handOver(partition: Partition): Promise<void> {
    if (this.#leaving.has(partition)) return
    this.#leaving.add(partition)
    partition.leave()
    await partition.untilIdle()
    await partition.release()
    this.#forget(partition)
    this.#leaving.delete(partition)
    this.#options.runner.log.info({ ...this.#labels, partition: partition.partition }, 'partition handed over')
    this.#options.store.nudge()
  }

  #onPartitionLost(partition: Partition, why: string): void {
    if (partition.lost.aborted) return
    const { partition: number, fence } = partition
    this.#options.runner.log.warn({ ...this.#labels, partition: number, fence, why }, 'partition lost')
    partition.drop()
    this.#forget(partition)
    this.#options.onChange()
    this.#look()
  }

  #onLeaseLost(): void {
    if (this.#owned.size > 0)
      this.#options.runner.log.warn(
        { ...this.#labels, partitions: this.#owned.size },
        'this instance was away for longer than its lease: its partitions are free for others',
      )
    this.#dropAll()
    this.#options.onChange()
  }

  #dropAll(): void {
    for (const partition of this.#owned.values()) partition.drop()
    this.#owned.clear()
  }

  #forget(partition: Partition): void {
    if (this.#owned.get(partition.partition) === partition) this.#owned.delete(partition.partition)
  }

  #say(): void {
    const all = [...this.#owned.values()]
    const counts = all.map((one) => one.counts)
    const sum = (of: keyof KeyCounts): number => counts.reduce((total, one) => total + one[of], 0)
    this.#options.runner.metrics.partitions(this.#labels, {
      owned: all.length,
      held: sum('held'),
      parked: sum('parked'),
      behindLetters: sum('behindLetters'),
      full: all.filter(({ isFull }) => isFull).length,
    })
  }
}

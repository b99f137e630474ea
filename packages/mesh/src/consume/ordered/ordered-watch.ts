/**
 * Looks after an ordered handler while it runs: how far its partitions are (metrics), what aged out before it got there,
 * whether its stream was made anew, and whether a partition reads all there is.
 */
import { writeExpiredLetter } from '../../failure/dead-letter.ts'
import { getStored } from '../../read/stored-message.ts'
import type { ConsumerGauges } from '../../observe/mesh-metrics.ts'
import { type StreamState, streamState } from '../../topology/stream-state.ts'
import { progress, type Range, united } from '../progress.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { OrderedRunner } from './ordered-runner.ts'
import type { Partition } from './partition.ts'

export type OrderedWatchOptions = RunnerOptions & {
  runner: OrderedRunner
  filterOf: (partition: number) => string
}

/** An event that is known for this long and was not brought, though nothing stands in its way, was missed. */
const MISSED_MS = 4000

type Seen = {
  /** All up to here is settled, or told of as aged out. */
  settled: number
  isFirst: boolean
  read: number
  /** The first event that was not brought, and since when it is known. */
  unread?: { seq: number; since: number } | undefined
}

type Looked = { partition: Partition; from: number; read: number; seen: Seen } & ReturnType<typeof progress>

export class OrderedWatch {
  readonly #options: OrderedWatchOptions
  readonly #timer: NodeJS.Timeout
  readonly #seen = new WeakMap<Partition, Seen>()
  #epoch: number
  #busy: Promise<void> | undefined
  #fault: string | undefined
  #gauges: ConsumerGauges | undefined

  constructor(options: OrderedWatchOptions) {
    this.#options = options
    this.#epoch = options.epoch
    const { maxAgeMs } = options.def.source.stream
    this.#timer = setInterval(() => void this.look(), Math.max(250, Math.min(5000, maxAgeMs / 4)))
  }

  /** As of the last look; undefined before the first. */
  get gauges(): ConsumerGauges | undefined {
    return this.#gauges
  }

  /** Why the handler cannot work, for readiness. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Never throws; what fails is seen again at the next look. */
  look(): Promise<void> {
    this.#busy ??= this.#look().finally(() => {
      this.#busy = undefined
    })
    return this.#busy
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#busy
  }

  async #look(): Promise<void> {
    const { nc, stream, handler, log, service } = this.#options
    if (nc.isClosed()) return
    try {
      const state = await streamState(nc, stream)
      if (state.epoch === this.#epoch) await this.#measure(state)
      else this.#onNewStream(state.epoch)
      this.#fault = undefined
    } catch (error) {
      const fault = `handler ${handler}: its stream ${stream}: ${error instanceof Error ? error.message : String(error)}`
      if (fault !== this.#fault && !nc.isClosed())
        log.warn({ service: service.name, handler, stream, err: error }, 'the stream cannot be looked at; trying again')
      this.#fault = fault
    }
  }

  #onNewStream(epoch: number): void {
    const { log, service, handler, stream, runner } = this.#options
    log.warn({ service: service.name, handler, stream }, 'the stream was made anew; the handler begins at its start')
    this.#epoch = epoch
    runner.renewEpoch(epoch)
  }

  async #measure(state: StreamState): Promise<void> {
    const { runner, metrics, service, handler } = this.#options
    const looked = [...runner.partitions.values()].map((partition) => this.#progressOf(partition, state))
    // One letter for all: which partition’s events they were, nobody can tell any more.
    const expired = looked.flatMap((one) => (one.expired && !one.partition.lost.aborted ? [one.expired] : []))
    for (const range of united(expired)) await this.#onExpired(range)
    for (const { partition } of looked) await partition.forgetBelow(state.firstSeq)
    const each = await Promise.all(looked.map((one) => this.#measureOne(one, state)))
    const oldestMs = Math.max(0, ...each.map((one) => one.oldestMs))
    this.#gauges = {
      pending: each.reduce((sum, one) => sum + one.pending, 0),
      ackPending: each.reduce((sum, one) => sum + one.open, 0),
      oldestMs,
      expiresInMs: Math.max(0, state.maxAgeMs - oldestMs),
    }
    metrics.consumer({ service: service.name, handler }, this.#gauges)
  }

  #progressOf(partition: Partition, { firstSeq }: StreamState): Looked {
    const { from, read } = partition.floor
    // Where it was when it was taken over: what aged out before that, it may be past by now.
    const seen = this.#seen.get(partition) ?? { settled: partition.takenFrom - 1, isFirst: true, read: -1 }
    return { partition, from, read, seen, ...progress(seen.settled, { firstSeq, ackFloor: from - 1 }) }
  }

  async #measureOne(
    { partition, from, read, seen, settled }: Looked,
    state: StreamState,
  ): Promise<{ pending: number; open: number; oldestMs: number }> {
    const oldest = settled < state.lastSeq ? await this.#oldestFrom(partition, settled + 1) : undefined
    // What lies before it is not for this partition: when that ages out, nothing is lost. The stream’s leader says so.
    const past = Math.max(settled, oldest ? oldest.seq - 1 : state.lastSeq)
    const isStill = seen.read === read && partition.hasRoom
    const unread = isStill ? await this.#unread(partition, { read, oldest, before: seen.unread }) : undefined
    this.#seen.set(partition, { settled: past, isFirst: false, read, unread })
    if (unread && performance.now() - unread.since > MISSED_MS) partition.refresh()
    // Told a look later, so that no leader that was just elected is believed.
    if (from > read && !seen.isFirst) await partition.advance(seen.settled)
    const oldestMs = oldest ? Math.max(0, Date.now() - oldest.at) : 0
    return { pending: await partition.pending(), open: partition.counts.open, oldestMs }
  }

  /** What a partition has not read: behind a key that waits for long, too. By no clock but this process's own. */
  async #unread(
    partition: Partition,
    { read, oldest, before }: { read: number; oldest: { seq: number } | undefined; before: Seen['unread'] },
  ): Promise<Seen['unread']> {
    const isBehind = oldest !== undefined && oldest.seq <= read
    const next = isBehind ? await this.#oldestFrom(partition, read + 1) : oldest
    if (!next || partition.floor.read >= next.seq) return undefined
    return before?.seq === next.seq ? before : { seq: next.seq, since: performance.now() }
  }

  /** The first event of a partition at or after `seq`. */
  async #oldestFrom(partition: Partition, seq: number): Promise<{ seq: number; at: number } | undefined> {
    const { nc, stream, filterOf } = this.#options
    const first = await getStored(nc, stream, { seq, next_by_subj: filterOf(partition.partition) })
    return first && { seq: first.seq, at: Date.parse(first.time) }
  }

  async #onExpired(range: Range): Promise<void> {
    const { stream, office, log, metrics, service, handler } = this.#options
    const labels = { service: service.name, handler }
    await writeExpiredLetter(office, { stream, epoch: this.#epoch, ...range })
    metrics.expired(labels, range.to - range.from + 1)
    metrics.deadLetter(labels, 'MESH_EXPIRED')
    log.error({ ...labels, stream, ...range }, 'events aged out before this handler was past them; see its dead letter')
  }
}

/**
 * One partition this instance owns: its events, the account of them, and the record that says how far it is.
 *
 * O1  An event of a key begins only after the record says that the one before it is settled. So nobody who goes on from
 *     the record, ever, begins an event of a key after a later one of that key was begun.
 * O2  Once another instance has written the record, nothing begins here and nothing that ends here counts (record-writer.ts W1).
 * O3  Nothing begins before all that the predecessor had begun was seen again (key-lines.ts K4).
 * O4  A key that waits for a retry keeps one event in memory, however many are behind it: those stay in the stream.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Msg } from '@nats-io/transport-node'
import { MeshError } from '../../errors.ts'
import { tellStage } from '../../observe/stages.ts'
import { getStored } from '../../publish/stored-message.ts'
import { streamState } from '../../topology/stream-state.ts'
import { type Delivery, readDelivery } from '../delivery.ts'
import type { PullLoop } from '../pull-loop.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Claim } from './claim.ts'
import { Feed } from './feed.ts'
import { type KeyLine, KeyLines } from './key-lines.ts'
import { truthUpTo } from './lost-end.ts'
import type { Membership } from './membership.ts'
import type { KeptRetry } from './partition-record.ts'
import type { PartitionStore, StoredRecord } from './partition-store.ts'
import { RecordWriter } from './record-writer.ts'
import { noCredit, storedDelivery } from './stored-delivery.ts'

export type Line = KeyLine<Delivery>

export type PartitionPort = {
  /** The first of a line may begin. */
  onReady: (partition: Partition, line: Line) => void
  /** Another instance has it, or what is known of it is void. */
  onLost: (partition: Partition, why: string) => void
}

export type PartitionOptions = {
  runner: RunnerOptions
  store: PartitionStore
  membership: Membership
  partition: number
  /** What it takes, as the server sees it. */
  filters: readonly string[]
  /** As this instance wrote it when it took it over. */
  claimed: StoredRecord
  limit: number
  port: PartitionPort
}

/** Events of one key that stay in memory; those behind them are read again when their turn comes. */
const MOST_PER_KEY = 16
/** Keys that wait for a retry: with more the partition stands still, since the record would grow without end. */
const MOST_HELD = 1000
const AGAIN_MS = 250
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** How often a partition without events writes down how far the stream is. */
const REST_MS = 30_000
/** After that long without the event that was expected, the stream's leader is asked. */
const RESTORE_PATIENCE_MS = 1000

export class Partition implements Claim {
  readonly partition: number
  readonly fence: number
  /** The first sequence that was not settled when it was taken over. */
  readonly takenFrom: number
  readonly #options: PartitionOptions
  readonly #lines: KeyLines<Delivery>
  readonly #feed: Feed
  readonly #writer: RecordWriter<Line>
  readonly #end = new AbortController()
  readonly #timers = new Map<Line, { timer: NodeJS.Timeout; dueAt: number }>()
  readonly #restMs: number
  /** The record's `read` when it was taken over. */
  readonly #knownUpTo: number
  #seen: { seen: number; seenAt: string }
  #limit: number
  #fault: string | undefined
  #running = 0
  #isLeaving = false
  #isRestored = false
  #restoreTimer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []

  constructor(options: PartitionOptions) {
    const { runner, partition, claimed, filters, store } = options
    const { fence, seen, seenAt, read } = claimed.record
    this.#options = options
    this.partition = partition
    this.fence = fence
    this.#knownUpTo = read
    this.#seen = { seen, seenAt }
    this.#limit = options.limit
    this.#restMs = Math.min(REST_MS, runner.def.source.stream.maxAgeMs / 8)
    this.#lines = new KeyLines(claimed.record, MOST_PER_KEY)
    this.takenFrom = this.floor.from
    this.#writer = new RecordWriter<Line>({
      store,
      log: runner.log,
      partition,
      claimed,
      progress: () => ({ ...this.#lines.snapshot(), ...this.#seen }),
      onWritten: (lines) => {
        for (const line of lines) this.#goOn(line)
      },
      onLost: () => options.port.onLost(this, 'another instance has it'),
    })
    this.#feed = new Feed({
      nc: runner.nc,
      connection: runner.connection,
      inboxPrefix: runner.inboxPrefix,
      stream: runner.stream,
      filters,
      name: `${runner.names.durable(runner.service.name, runner.handler)}_p${partition}`,
      after: this.#lines.position,
      limit: options.limit,
      beforeOpen: () => this.#checkEnd(),
      onEvent: (msg, loop) => this.#onEvent(msg, loop),
      onFault: (fault) => (this.#fault = fault),
    })
    this.#afterProgress()
  }

  get lost(): AbortSignal {
    return this.#end.signal
  }

  get isSure(): boolean {
    return !this.lost.aborted && this.#options.membership.holds
  }

  /** Why it stands still; undefined when all is well. */
  get fault(): string | undefined {
    return this.#fault
  }

  get heldKeys(): number {
    return this.#timers.size
  }

  /** Keys of which events are left in the stream until their turn comes. */
  get parkedKeys(): number {
    return [...this.#lines.lines].filter(({ leftUpTo }) => leftUpTo > 0).length
  }

  get openKeys(): number {
    return this.#lines.size
  }

  /** The first sequence that is not settled, as far as this instance has seen; and up to where it has. */
  get floor(): { from: number; read: number } {
    const { read, running, open } = this.#lines.snapshot()
    return { from: Math.min(read + 1, ...running, ...open.map(({ from }) => from)), read }
  }

  /** How many events are not yet brought. */
  pending(): Promise<number> {
    return this.#feed.pending()
  }

  /** The stream has nothing for this partition up to there that it has not seen. Written down now and then. */
  advance(to: number): void {
    if (this.#isOver || !this.#isRestored) return
    this.#lines.advance(to)
    if (this.#writer.restedMs >= this.#restMs && to > this.#writer.read) this.#writer.write(false)
  }

  setLimit(limit: number): void {
    this.#limit = limit
    this.#applyLimit()
  }

  /** Reads on with a new consumer: there is something it did not bring. */
  refresh(): void {
    this.#feed.reopen()
  }

  async confirm(): Promise<void> {
    await this.#options.membership.untilHolds(this.lost)
    if (this.lost.aborted) throw lostError(this.partition)
  }

  /** Whether the first of a line may begin now. */
  mayBegin(line: Line): boolean {
    return line.phase === 'ready' && !this.#isOver && line.items.length > 0
  }

  /** Begins the first of a line. */
  begin(line: Line): Delivery {
    line.phase = 'running'
    this.#running++
    return line.items[0]!.item
  }

  /** It was begun, and is to begin again: nothing came of it. */
  again(line: Line): void {
    this.#toReady(line)
    this.#ended()
  }

  /** It never came back: its key stands still for as long as this instance has the partition. */
  stuck(line: Line): void {
    line.phase = 'stuck'
    for (const { credit } of this.#lines.trim(line)) credit.release()
    this.#ended()
  }

  /** It is done, or its letter is stored. */
  settle(line: Line): void {
    const head = line.items[0]!.item
    this.#lines.settleHead(line)
    head.credit.release()
    this.#writer.settled(line)
    this.#ended()
  }

  /** Upholds O4: it failed, and its key waits, and nobody else. */
  hold(line: Line, retry: KeptRetry): void {
    line.retry = retry
    const head = line.items[0]!.item
    for (const { credit } of this.#lines.trim(line)) credit.release()
    head.credit.release()
    head.credit = noCredit
    this.#wait(line, retry.delayMs)
    this.#writer.write(false)
    this.#applyLimit()
    this.#ended()
  }

  /** Makes what waits due over `rampMs`, none later than it would have been. Returns whether there was any. */
  wake(rampMs: number, most: number = Infinity): boolean {
    const waiting = [...this.#timers].slice(0, most)
    for (const [index, [line, { dueAt }]] of waiting.entries())
      this.#wait(line, Math.min(dueAt - performance.now(), (rampMs * index) / waiting.length))
    return waiting.length > 0
  }

  /** Begins nothing more. Once nothing runs (`untilIdle`), `release` lets go. */
  leave(): void {
    this.#isLeaving = true
    this.#clearTimers()
    this.#writer.hurry()
    this.#feed.stop()
  }

  /** Resolves when nothing of it runs. */
  async untilIdle(): Promise<void> {
    if (this.#running === 0) return
    const turn = Promise.withResolvers<void>()
    this.#idle.push(turn.resolve)
    await turn.promise
  }

  /** Writes down how far it is, and that anybody may have it. Never throws. */
  async release(): Promise<void> {
    this.leave()
    await this.#writer.release()
    this.drop()
  }

  /** Upholds O2. */
  drop(): void {
    if (this.lost.aborted) return
    this.#writer.stop()
    this.#end.abort(lostError(this.partition))
    this.#clearTimers()
    clearTimeout(this.#restoreTimer)
    this.#feed.stop()
    this.#running = 0
    this.#tell()
  }

  get #isOver(): boolean {
    return this.#isLeaving || this.lost.aborted
  }

  #onEvent(msg: Msg, loop: PullLoop): void {
    const { epoch, service, handler } = this.#options.runner
    const delivery = readDelivery(msg, { via: 'event', epoch, credit: loop })
    delivery.claim = this
    const { seq, storedAt } = delivery.source
    if (seq > this.#seen.seen) this.#seen = { seen: seq, seenAt: storedAt }
    const arrival = this.#lines.add(tokenOf(msg.subject, this.#options.filters), seq, delivery)
    if (arrival.kind === 'kept') {
      tellStage('delivered', { service: service.name, handler, source: delivery.source })
      if (this.#isRestored && arrival.line.phase === 'idle') this.#toReady(arrival.line)
      // Its predecessor is settled and may have been in no hurry to be written down.
      else if (arrival.line.phase === 'settling') this.#writer.write(true)
    } else loop.release()
    this.#afterProgress()
  }

  /** Before the stream is read on from where this instance was: it may be another one there. */
  async #checkEnd(): Promise<void> {
    const { runner, filters, port } = this.#options
    const { read } = this.#lines.snapshot()
    const truth = await truthUpTo({ nc: runner.nc, stream: runner.stream, filters }, { read, ...this.#seen })
    if (truth < read && !this.#isOver) port.onLost(this, 'the stream lost its end')
  }

  /** Upholds O3. */
  #afterProgress(): void {
    if (this.#isRestored || this.#isOver) return
    clearTimeout(this.#restoreTimer)
    if (!this.#lines.isRestored) {
      this.#restoreTimer = setTimeout(() => void this.#askLeader(), RESTORE_PATIENCE_MS)
      return
    }
    this.#isRestored = true
    for (const line of this.#lines.lines) {
      if (line.phase !== 'idle') continue
      const { retry } = line
      if (retry) this.#wait(line, Math.min(retry.delayMs, Math.max(0, retry.dueAt - Date.now())))
      else this.#goOn(line)
    }
  }

  /** What the record speaks of may have aged out, and then it never comes. */
  async #askLeader(): Promise<void> {
    const { runner, filters } = this.#options
    const from = this.#feed.position + 1
    try {
      const found = await Promise.all(
        filters.map((filter) => getStored(runner.nc, runner.stream, { seq: from, next_by_subj: filter })),
      )
      if (found.every((one) => one === undefined || one.seq > this.#knownUpTo)) this.#lines.endRestore()
      else if (this.#feed.position < from) this.#feed.reopen()
    } catch {
      // Asked again.
    }
    this.#afterProgress()
  }

  /** The next of a line that is free. */
  #goOn(line: Line): void {
    line.phase = 'idle'
    if (this.#isOver) return
    if (line.items.length > 0) this.#toReady(line)
    else if (line.leftUpTo > 0) void this.#load(line)
    else this.#lines.drop(line)
  }

  #toReady(line: Line): void {
    line.phase = 'ready'
    if (!this.#isOver) this.#options.port.onReady(this, line)
  }

  #wait(line: Line, delayMs: number): void {
    line.phase = 'held'
    clearTimeout(this.#timers.get(line)?.timer)
    if (this.#isOver) return
    const timer = setTimeout(() => this.#onDue(line), Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS))
    this.#timers.set(line, { timer, dueAt: performance.now() + delayMs })
  }

  #onDue(line: Line): void {
    this.#timers.delete(line)
    this.#applyLimit()
    if (line.items.length > 0) this.#toReady(line)
    else void this.#load(line)
  }

  /** Reads the next event of a key that was left in the stream. */
  async #load(line: Line): Promise<void> {
    line.phase = 'loading'
    while (!this.#isOver) {
      const { leftUpTo } = line
      try {
        const next = await this.#nextOf(line)
        if (this.#isOver) return
        if (!this.#lines.loaded(line, next, leftUpTo)) continue
        this.#goOn(line)
        return
      } catch (error) {
        const { log } = this.#options.runner
        log.debug({ partition: this.partition, err: error }, 'the next event of a key was not read; again')
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
  }

  async #nextOf(line: Line): Promise<{ seq: number; item: Delivery } | undefined> {
    const { runner, filters } = this.#options
    const { leftUpTo, from } = line
    const query = { seq: from, next_by_subj: subjectOf(line.token, filters) }
    const stored = await getStored(runner.nc, runner.stream, query)
    // A leader that was just elected may not know of it yet.
    if (!stored && (await streamState(runner.nc, runner.stream)).lastSeq < leftUpTo)
      throw new Error('the stream’s leader does not know all of it yet')
    // What is known of attempts is known of the one that failed, which may have aged out.
    if (stored?.seq !== from) line.retry = undefined
    if (!stored) return undefined
    const about = { stream: runner.stream, epoch: runner.epoch, retry: line.retry, claim: this }
    return { seq: stored.seq, item: storedDelivery(stored, about) }
  }

  #applyLimit(): void {
    const limit = this.#timers.size >= MOST_HELD ? 0 : this.#limit
    if (limit !== this.#feed.limit) this.#feed.setLimit(limit)
  }

  #clearTimers(): void {
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #ended(): void {
    this.#running--
    this.#tell()
  }

  #tell(): void {
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function lostError(partition: number): MeshError {
  return new MeshError('MESH_PARTITION_LOST', `partition ${partition} went to another instance, which does it again`)
}

/** What a key is called in its subject; empty for an event that was published before its contract had a key. */
function tokenOf(subject: string, filters: readonly string[]): string {
  return filters.includes(subject) ? '' : subject.slice(subject.lastIndexOf('.') + 1)
}

/** The opposite of {@link tokenOf}. */
function subjectOf(token: string, filters: readonly string[]): string {
  const keyed = filters.find((filter) => filter.endsWith('.*')) ?? ''
  return token === '' ? (filters.find((filter) => filter !== keyed) ?? keyed) : `${keyed.slice(0, -1)}${token}`
}

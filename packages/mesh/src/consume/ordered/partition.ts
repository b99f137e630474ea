/**
 * One partition this instance owns: its events, the account of them, and the record that says how far it is.
 *
 * O1  An event of a key begins only after the record says that the one before it is settled. So nobody who goes on from
 *     the record, ever, begins an event of a key after a later one of that key was begun.
 * O2  Once another instance has written the record, nothing begins here and nothing that ends here counts (record-writer.ts W1).
 * O3  Nothing begins before all that the predecessor had begun was seen again (key-lines.ts K4).
 * O4  A key that waits for a retry keeps one event in memory, however many are behind it: those stay in the stream.
 * O5  The record cannot grow without end: with too many keys that take room in it nothing more is read.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Msg } from '@nats-io/transport-node'
import { MeshError } from '../../errors.ts'
import { tellStage } from '../../observe/stages.ts'
import { getStored } from '../../publish/stored-message.ts'
import { type Credit, type Delivery, readDelivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Claim } from './claim.ts'
import { Feed } from './feed.ts'
import { type KeyLine, KeyLines } from './key-lines.ts'
import { truthUpTo } from './lost-end.ts'
import type { Membership } from './membership.ts'
import type { KeptRetry } from './partition-record.ts'
import type { PartitionStore, StoredRecord } from './partition-store.ts'
import { RecordWriter } from './record-writer.ts'
import { Restoring } from './restoring.ts'
import { RetryTimers } from './retry-timers.ts'
import { firstOf, type Slice, subjectOf, tokenOf } from './slice.ts'
import { nanosOf, noCredit, storedDelivery } from './stored-delivery.ts'

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
/** Keys that wait, at most. */
const MOST_WAITING = 1000
/** What one of them may take of a record, which is one payload; and as much again is left for what runs. */
const BYTES_WAITING = 512
/** Events asked for at once until all is restored; they are in nobody's way, since they were begun already. */
const RESTORE_LIMIT = 256
const AGAIN_MS = 250
/** How often a partition without events writes down how far the stream is. */
const REST_MS = 30_000

export class Partition implements Claim {
  readonly partition: number
  readonly fence: number
  /** The first sequence that was not settled when it was taken over. */
  readonly takenFrom: number
  readonly #options: PartitionOptions
  readonly #lines: KeyLines<Delivery>
  readonly #feed: Feed
  readonly #writer: RecordWriter<Line>
  readonly #restoring: Restoring
  readonly #timers: RetryTimers<Line>
  readonly #slice: Slice
  readonly #end = new AbortController()
  readonly #restMs: number
  readonly #mostWaiting: number
  #seen: { seen: number; seenAt: string }
  #limit: number
  #running = 0
  #isLeaving = false
  #isRestored = false
  #idle: (() => void)[] = []
  #released: Promise<void> | undefined

  constructor(options: PartitionOptions) {
    const { runner, partition, claimed, filters, store } = options
    const { fence, seen, seenAt, read } = claimed.record
    this.#options = options
    this.partition = partition
    this.fence = fence
    this.#slice = { nc: runner.nc, stream: runner.stream, epoch: runner.epoch, filters }
    this.#seen = { seen, seenAt }
    this.#limit = options.limit
    this.#restMs = Math.min(REST_MS, runner.def.source.stream.maxAgeMs / 8)
    this.#mostWaiting = Math.min(MOST_WAITING, Math.floor((runner.nc.info?.max_payload ?? Infinity) / BYTES_WAITING))
    this.#lines = new KeyLines(claimed.record, MOST_PER_KEY)
    this.takenFrom = this.floor.from
    this.#timers = new RetryTimers((line) => this.#onDue(line))
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
      limit: RESTORE_LIMIT,
      beforeOpen: () => this.#checkEnd(),
      onEvent: (msg, credit) => this.#onEvent(msg, credit),
    })
    this.#restoring = new Restoring({
      lines: this.#lines,
      feed: this.#feed,
      slice: this.#slice,
      knownUpTo: read,
      onRestored: () => this.#onRestored(),
    })
    this.#restoring.look()
  }

  get lost(): AbortSignal {
    return this.#end.signal
  }

  get isSure(): boolean {
    return !this.lost.aborted && this.#options.membership.holds
  }

  /** Why it stands still; undefined when all is well. */
  get fault(): string | undefined {
    return this.#writer.fault ?? this.#feed.fault
  }

  get heldKeys(): number {
    return [...this.#lines.waiting].filter(({ retry }) => retry).length
  }

  /** Keys of which events are left in the stream until their turn comes. */
  get parkedKeys(): number {
    return [...this.#lines.waiting].filter(({ leftUpTo }) => leftUpTo > 0).length
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
    if (this.#writer.restedMs >= this.#restMs && to > this.#writer.read) void this.#advance(to)
  }

  setLimit(limit: number): void {
    this.#limit = limit
    this.#applyLimit()
  }

  /** Reads on with a new consumer: there is something it did not bring. */
  refresh(): void {
    if (this.#feed.limit > 0) this.#feed.reopen()
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
    for (const { credit } of [...this.#lines.trim(line), line.items[0]!.item]) credit.release()
    this.#ended()
  }

  /** It is done, or its letter is stored. */
  settle(line: Line): void {
    const head = line.items[0]!.item
    this.#lines.settleHead(line)
    head.credit.release()
    this.#writer.settled(line)
    this.#applyLimit()
    this.#ended()
  }

  /** Upholds O4: it failed, and its key waits, and nobody else. */
  hold(line: Line, retry: KeptRetry): void {
    const head = line.items[0]!.item
    const behind = this.#lines.hold(line, retry)
    this.#applyLimit()
    for (const { credit } of [head, ...behind]) credit.release()
    head.credit = noCredit
    this.#wait(line, retry.delayMs)
    this.#writer.write(false)
    this.#ended()
  }

  /** Makes what waits due over `rampMs`, none later than it would have been. Returns whether there was any. */
  wake(rampMs: number, most: number = Infinity): boolean {
    return this.#timers.hasten(rampMs, most)
  }

  /** Begins nothing more. Once nothing runs (`untilIdle`), `release` lets go. */
  leave(): void {
    this.#isLeaving = true
    this.#timers.clear()
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
  release(): Promise<void> {
    this.leave()
    return (this.#released ??= this.#writer.release().then(() => this.drop()))
  }

  /** Upholds O2. */
  drop(): void {
    if (this.lost.aborted) return
    this.#writer.stop()
    this.#end.abort(lostError(this.partition))
    this.#timers.clear()
    this.#restoring.stop()
    this.#feed.stop()
    this.#running = 0
    this.#tell()
  }

  get #isOver(): boolean {
    return this.#isLeaving || this.lost.aborted
  }

  #onEvent(msg: Msg, credit: Credit): void {
    const { epoch, service, handler } = this.#options.runner
    const delivery = readDelivery(msg, { via: 'event', epoch, credit })
    delivery.claim = this
    const { seq, storedAt } = delivery.source
    this.#saw(seq, storedAt)
    const arrival = this.#lines.add(tokenOf(msg.subject, this.#slice.filters), seq, delivery)
    if (arrival.kind === 'kept') {
      tellStage('delivered', { service: service.name, handler, source: delivery.source })
      if (!this.#isRestored) this.#keepAside(delivery)
      else if (arrival.line.phase === 'idle') this.#toReady(arrival.line)
      // Its predecessor is settled and may have been in no hurry to be written down.
      else if (arrival.line.phase === 'settling') this.#writer.write(true)
    } else credit.release()
    this.#applyLimit()
    this.#restoring.look()
  }

  /** Until all is restored nothing of it goes on, so that what came must not stand in the way of what is to come. */
  #keepAside(delivery: Delivery): void {
    delivery.credit.release()
    delivery.credit = noCredit
  }

  /** Upholds O3. */
  #onRestored(): void {
    if (this.#isOver) return
    this.#isRestored = true
    this.#applyLimit()
    for (const line of this.#lines.lines) {
      if (line.phase !== 'idle') continue
      const { retry } = line
      if (retry) this.#wait(line, Math.min(retry.delayMs, Math.max(0, retry.dueAt - Date.now())))
      else this.#goOn(line)
    }
  }

  /** Before the stream is read on from where this instance was: it may be another one there. */
  async #checkEnd(): Promise<void> {
    const { read } = this.#lines.snapshot()
    const truth = await truthUpTo(this.#slice, { read, ...this.#seen })
    if ((truth === undefined || truth < read) && !this.#isOver)
      this.#options.port.onLost(this, truth === undefined ? 'the stream was made anew' : 'the stream lost its end')
  }

  /** Never throws: what fails is tried at the next look. */
  async #advance(to: number): Promise<void> {
    const { nc, stream } = this.#slice
    try {
      // Whosever it is: it tells a stream that lost its end up to there.
      const last = await getStored(nc, stream, { seq: to })
      const missed = await firstOf(this.#slice, { from: this.#lines.snapshot().read + 1, upTo: to })
      if (missed || this.#isOver) return
      if (last) this.#saw(to, nanosOf(last.time))
      this.#lines.advance(to)
      this.#writer.write(false)
    } catch {
      return
    }
  }

  #saw(seq: number, storedAt: string): void {
    if (seq > this.#seen.seen) this.#seen = { seen: seq, seenAt: storedAt }
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
    if (!this.#isOver) this.#timers.set(line, delayMs)
  }

  #onDue(line: Line): void {
    if (line.items.length > 0) this.#toReady(line)
    else void this.#load(line)
  }

  /** Reads the next event of a key that was left in the stream. */
  async #load(line: Line): Promise<void> {
    const { log, stream, epoch } = this.#options.runner
    const filters = [subjectOf(line.token, this.#slice.filters)]
    line.phase = 'loading'
    while (!this.#isOver) {
      const { leftUpTo, from } = line
      try {
        const stored = await firstOf({ ...this.#slice, filters }, { from, upTo: leftUpTo })
        if (this.#isOver) return
        const retry = stored?.seq === from ? line.retry : undefined
        const next = stored && { seq: stored.seq, item: storedDelivery(stored, { stream, epoch, retry, claim: this }) }
        if (!this.#lines.loaded(line, next, leftUpTo)) continue
        this.#applyLimit()
        this.#goOn(line)
        return
      } catch (error) {
        log.debug({ partition: this.partition, err: error }, 'the next event of a key was not read; again')
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
  }

  /** Upholds O5. */
  #applyLimit(): void {
    const isFull = this.#lines.waiting.size >= this.#mostWaiting
    const limit = !this.#isRestored ? RESTORE_LIMIT : isFull ? 0 : this.#limit
    if (limit !== this.#feed.limit) this.#feed.setLimit(limit)
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

/**
 * One partition this instance owns: its events, the account of them, and the record that says how far it is.
 *
 * O1  An event of a key begins only after the record says that the one before it is settled. So nobody who goes on from
 *     the record, ever, begins an event of a key after a later one of that key was begun.
 * O2  The record is changed only by compare-and-set on what this owner wrote last: once another instance has written,
 *     nothing of this one counts, whenever it wakes. Then `onLost`, and nothing more is begun.
 * O3  Every write says all (partition-record.ts), so one whose fate is unknown is settled by the next.
 * O4  Nothing begins before all that the predecessor had begun was seen again (key-lines.ts, K4).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Msg } from '@nats-io/transport-node'
import { MeshError } from '../../errors.ts'
import { tellStage } from '../../observe/stages.ts'
import { getStored } from '../../publish/stored-message.ts'
import { streamState } from '../../topology/stream-state.ts'
import { type Credit, type Delivery, readDelivery } from '../delivery.ts'
import type { PullLoop } from '../pull-loop.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Claim } from './claim.ts'
import { Feed } from './feed.ts'
import { type KeyLine, KeyLines } from './key-lines.ts'
import type { Membership } from './membership.ts'
import type { KeptRetry, PartitionRecord } from './partition-record.ts'
import type { PartitionStore, StoredRecord } from './partition-store.ts'
import { storedDelivery } from './stored-delivery.ts'

export type Line = KeyLine<Delivery>

export type PartitionPort = {
  /** The first of a line may begin. */
  onReady: (partition: Partition, line: Line) => void
  /** Another instance has it. */
  onLost: (partition: Partition) => void
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
/** How long a write may wait for others to go with it, where nobody waits for it. */
const LINGER_MS = 4
const WRITE_MS = 10_000
const AGAIN_MS = 250
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** How often a partition without events writes down how far the stream is. */
const REST_MS = 30_000
/** After that long without the event that was expected, the stream's leader is asked. */
const RESTORE_PATIENCE_MS = 1000

const noCredit: Credit = { release: () => undefined, reclaim: () => undefined }

export class Partition implements Claim {
  readonly partition: number
  readonly fence: number
  readonly #options: PartitionOptions
  readonly #lines: KeyLines<Delivery>
  readonly #feed: Feed
  readonly #end = new AbortController()
  readonly #timers = new Map<Line, { timer: NodeJS.Timeout; dueAt: number }>()
  #record: PartitionRecord
  #revision: number
  #limit: number
  #fault: string | undefined
  /** Settled in memory; the record does not say so yet. */
  #unwritten: Line[] = []
  #writing: Promise<void> | undefined
  #mustWrite = false
  #linger: NodeJS.Timeout | undefined
  /** Of `performance.now()`. */
  #writtenAt = performance.now()
  readonly #restMs: number
  #running = 0
  #isLeaving = false
  #isRestored = false
  #restoreTimer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []

  constructor(options: PartitionOptions) {
    const { runner, partition, claimed, filters } = options
    this.#options = options
    this.partition = partition
    this.fence = claimed.record.fence
    this.#record = claimed.record
    this.#revision = claimed.revision
    this.#limit = options.limit
    this.#restMs = Math.min(REST_MS, runner.def.source.stream.maxAgeMs / 8)
    this.#lines = new KeyLines(claimed.record, MOST_PER_KEY)
    this.#feed = new Feed({
      nc: runner.nc,
      connection: runner.connection,
      inboxPrefix: runner.inboxPrefix,
      log: runner.log,
      stream: runner.stream,
      filters,
      name: `${runner.names.durable(runner.service.name, runner.handler)}_p${partition}`,
      after: this.#lines.position,
      limit: options.limit,
      onEvent: (msg, loop) => this.#onEvent(msg, loop),
      onFault: (fault) => (this.#fault = fault),
    })
    this.#afterProgress()
  }

  get lost(): AbortSignal {
    return this.#end.signal
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
    if (this.lost.aborted || this.#isLeaving) return
    this.#lines.advance(to)
    if (performance.now() - this.#writtenAt < this.#restMs || to <= this.#record.read) return
    this.#writtenAt = performance.now()
    this.#write(false)
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
    return line.phase === 'ready' && !this.#isLeaving && !this.lost.aborted && line.items.length > 0
  }

  /** Begins the first of a line. */
  begin(line: Line): Delivery {
    line.phase = 'running'
    this.#running++
    return line.items[0]!.item
  }

  /** It was begun, and is to begin again: nothing came of it. */
  again(line: Line): void {
    this.#running--
    this.#toReady(line)
    this.#tell()
  }

  /** It never came back: its key stands still for as long as this instance has the partition. */
  stuck(line: Line): void {
    this.#running--
    line.phase = 'stuck'
    for (const { credit } of this.#lines.trim(line)) credit.release()
    this.#tell()
  }

  /** It is done, or its letter is stored. */
  settle(line: Line): void {
    this.#running--
    const head = line.items[0]!.item
    this.#lines.settleHead(line)
    head.credit.release()
    this.#unwritten.push(line)
    this.#write(line.items.length > 0 || line.leftUpTo > 0 || this.#isLeaving)
    this.#tell()
  }

  /** It failed: its key waits, and nobody else. What is behind it stays in the stream. */
  hold(line: Line, retry: KeptRetry): void {
    this.#running--
    line.retry = retry
    const head = line.items[0]!.item
    for (const { credit } of this.#lines.trim(line)) credit.release()
    head.credit.release()
    ;(head as { credit: Credit }).credit = noCredit
    this.#wait(line, retry.delayMs)
    this.#write(this.#isLeaving)
    this.#applyLimit()
    this.#tell()
  }

  /** Makes what waits due over `rampMs`, none later than it would have been. Returns whether there was any. */
  wake(rampMs: number, most = Infinity): boolean {
    const waiting = [...this.#timers].slice(0, most)
    for (const [index, [line, { dueAt }]] of waiting.entries())
      this.#wait(line, Math.min(dueAt - performance.now(), (rampMs * index) / waiting.length))
    return waiting.length > 0
  }

  /** Begins nothing more; once what runs has come back (`untilIdle`), writes the rest down and lets go. */
  leave(): void {
    this.#isLeaving = true
    this.#clearTimers()
    void this.#feed.stop()
  }

  /** Resolves when nothing of it runs. */
  async untilIdle(): Promise<void> {
    if (this.#running === 0) return
    const turn = Promise.withResolvers<void>()
    this.#idle.push(turn.resolve)
    await turn.promise
  }

  /** The last write: from here on anybody may have it. Never throws; what was not written the successor does again. */
  async release(): Promise<void> {
    this.leave()
    while (this.#writing) await this.#writing
    clearTimeout(this.#linger)
    if (this.lost.aborted) return
    await this.#attempt({ ...this.#next(), owner: '' }).catch(() => undefined)
    this.drop()
  }

  /** Upholds O2: nothing of it counts any more. */
  drop(): void {
    if (this.lost.aborted) return
    this.#end.abort(lostError(this.partition))
    this.#clearTimers()
    clearTimeout(this.#linger)
    clearTimeout(this.#restoreTimer)
    void this.#feed.stop()
    this.#running = 0
    this.#tell()
  }

  #onEvent(msg: Msg, loop: PullLoop): void {
    const { epoch, service, handler } = this.#options.runner
    const delivery = readDelivery(msg, { via: 'event', epoch, credit: loop })
    delivery.claim = this
    const arrival = this.#lines.add(tokenOf(msg.subject, this.#options.filters), delivery.source.seq, delivery)
    if (arrival.kind === 'kept') {
      tellStage('delivered', { service: service.name, handler, source: delivery.source })
      if (this.#isRestored && arrival.line.phase === 'idle') this.#toReady(arrival.line)
      // Its predecessor is settled and may have been in no hurry to be written down.
      else if (arrival.line.phase === 'settling') this.#write(true)
    } else loop.release()
    this.#afterProgress()
  }

  /** Upholds O4. */
  #afterProgress(): void {
    if (this.#isRestored || this.#isLeaving || this.lost.aborted) return
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
    try {
      const from = this.#feed.position + 1
      const found = await Promise.all(
        filters.map((filter) => getStored(runner.nc, runner.stream, { seq: from, next_by_subj: filter })),
      )
      if (found.every((one) => one === undefined || one.seq > this.#record.read)) this.#lines.endRestore()
      else if (this.#feed.position < from) this.#feed.reopen()
    } catch {
      // Asked again.
    }
    this.#afterProgress()
  }

  /** The next of a line that is free. */
  #goOn(line: Line): void {
    line.phase = 'idle'
    if (this.#isLeaving || this.lost.aborted) return
    if (line.items.length > 0) this.#toReady(line)
    else if (line.leftUpTo > 0) void this.#load(line)
    else this.#lines.drop(line)
  }

  #toReady(line: Line): void {
    line.phase = 'ready'
    if (!this.#isLeaving && !this.lost.aborted) this.#options.port.onReady(this, line)
  }

  #wait(line: Line, delayMs: number): void {
    line.phase = 'held'
    clearTimeout(this.#timers.get(line)?.timer)
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
    const { runner } = this.#options
    while (!this.lost.aborted && !this.#isLeaving) {
      const { leftUpTo, from } = line
      try {
        const subject = subjectOf(line.token, this.#options.filters)
        const stored = await getStored(runner.nc, runner.stream, { seq: from, next_by_subj: subject })
        // A leader that was just elected may not know of it yet.
        if (!stored && (await streamState(runner.nc, runner.stream)).lastSeq < leftUpTo)
          throw new Error('the stream’s leader does not know all of it yet')
        if (this.lost.aborted || this.#isLeaving) return
        // What is known of attempts is known of the one that failed, which may have aged out.
        if (stored?.seq !== from) line.retry = undefined
        const about = { stream: runner.stream, epoch: runner.epoch, retry: line.retry, claim: this }
        const next = stored && { seq: stored.seq, item: storedDelivery(stored, about) }
        if (!this.#lines.loaded(line, next, leftUpTo)) continue
        this.#goOn(line)
        return
      } catch (error) {
        runner.log.debug({ partition: this.partition, err: error }, 'the next event of a key was not read; again')
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
  }

  #applyLimit(): void {
    const limit = this.#timers.size >= MOST_HELD ? 0 : this.#limit
    if (limit !== this.#feed.limit) this.#feed.setLimit(limit)
  }

  #clearTimers(): void {
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #tell(): void {
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Has the record written: at once where somebody waits for it, else with what else is done in a moment. */
  #write(isUrgent: boolean): void {
    this.#mustWrite = true
    if (this.#writing || this.lost.aborted) return
    if (!isUrgent) {
      this.#linger ??= setTimeout(() => this.#startWriting(), LINGER_MS)
      return
    }
    this.#startWriting()
  }

  #startWriting(): void {
    clearTimeout(this.#linger)
    this.#linger = undefined
    if (this.#writing || this.lost.aborted) return
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#mustWrite) this.#write(this.#isWaitedFor())
    })
  }

  #isWaitedFor(): boolean {
    return this.#isLeaving || this.#unwritten.some(({ items, leftUpTo }) => items.length > 0 || leftUpTo > 0)
  }

  /** Upholds O1. Never throws. */
  async #writeAll(): Promise<void> {
    // What ends in this turn goes with it.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    this.#mustWrite = false
    const settled = this.#unwritten
    this.#unwritten = []
    const record = this.#next()
    for (;;) {
      if (this.lost.aborted) return
      try {
        await this.#attempt(record)
        break
      } catch (error) {
        this.#options.runner.log.debug({ partition: this.partition, err: error }, 'a record was not written; again')
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
    if (this.lost.aborted) return
    for (const line of settled) this.#goOn(line)
  }

  #next(): PartitionRecord {
    const { epoch, fence, owner, writes } = this.#record
    return { epoch, fence, owner, writes: writes + 1, ...this.#lines.snapshot() }
  }

  /** Upholds O2 and O3. @throws when it is not known whether it was written */
  async #attempt(record: PartitionRecord): Promise<void> {
    const { store } = this.#options
    const revision = await store.write(this.partition, record, this.#revision, WRITE_MS)
    if (revision !== undefined) {
      this.#record = record
      this.#revision = revision
      return
    }
    const found = await store.read(this.partition)
    if (!found) {
      // The bucket was emptied or made anew: what this owner knows is all there is.
      this.#revision = 0
      throw new Error('its record is gone')
    }
    if (found.record.fence !== this.fence || found.record.writes > record.writes) {
      this.#options.port.onLost(this)
      return
    }
    // An earlier answer was lost.
    this.#revision = found.revision
    if (found.record.writes < record.writes) throw new Error('written since by this instance itself')
    this.#record = record
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

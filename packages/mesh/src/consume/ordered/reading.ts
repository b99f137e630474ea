/**
 * Reads the events of one partition into its lines, from where its record is.
 *
 * E1  `onRestored` comes once, when all that the predecessor had begun was seen again or is known to be gone; until then
 *     what arrives is kept aside, and neither that nor `setLimit` stops the reading.
 * E2  The record cannot grow without end: with too many keys that wait nothing more is read.
 * E3  A stream that was made anew, or lost its end, is not read: `onLost`.
 */
import type { Msg } from '@nats-io/transport-node'
import { tellStage } from '../../observe/stages.ts'
import { getStored } from '../../read/stored-message.ts'
import { type Credit, type Delivery, readDelivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Claim } from './claim.ts'
import { Feed } from './feed.ts'
import type { KeyLines } from './key-lines.ts'
import type { Line } from './key-turns.ts'
import { truthUpTo } from './lost-end.ts'
import type { PartitionRecord } from './partition-record.ts'
import { firstOf, type Slice, tokenOf } from './slice.ts'
import { nanosOf, noCredit } from './stored-delivery.ts'

export type ReadingOptions = {
  runner: RunnerOptions
  slice: Slice
  claim: Claim
  lines: KeyLines<Delivery>
  /** As it was taken over. */
  record: PartitionRecord
  /** How many events are asked for at once. */
  limit: number
  onRestored: () => void
  /** An event is in its line. */
  onKept: (line: Line) => void
  onLost: (why: string) => void
}

/** Keys that wait, at most. */
const MOST_WAITING = 1000
/** What one of them may take of a record, which is one payload; and as much again is left for what runs. */
const BYTES_WAITING = 512
/** Events asked for at once until all is restored. */
const RESTORE_LIMIT = 64
/** After that long without the event that was expected, the stream's leader is asked. */
const PATIENCE_MS = 1000

export class Reading {
  readonly #options: ReadingOptions
  readonly #feed: Feed
  readonly #mostWaiting: number
  #seen: { seen: number; seenAt: string }
  #limit: number
  #isRestored = false
  #isOver = false
  /** Of keys that wait. */
  #isFull = false
  #patience: NodeJS.Timeout | undefined

  constructor(options: ReadingOptions) {
    const { runner, slice, claim, lines, record, limit } = options
    const { nc, connection, inboxPrefix, names, service, handler } = runner
    this.#options = options
    this.#limit = limit
    this.#seen = { seen: record.seen, seenAt: record.seenAt }
    this.#mostWaiting = Math.min(MOST_WAITING, Math.floor((nc.info?.max_payload ?? Infinity) / BYTES_WAITING))
    this.#feed = new Feed({
      nc,
      connection,
      inboxPrefix,
      stream: slice.stream,
      filter: slice.filter,
      name: `${names.durable(service.name, handler)}_p${claim.partition}`,
      after: lines.position,
      limit: RESTORE_LIMIT,
      beforeOpen: () => this.#checkEnd(),
      onEvent: (msg, credit) => this.#onEvent(msg, credit),
    })
  }

  /** The last event seen, or one of other partitions that was gone past; and when the stream stored it. */
  get seen(): Pick<PartitionRecord, 'seen' | 'seenAt'> {
    return this.#seen
  }

  /** Why the stream cannot be read; undefined when all is well. */
  get fault(): string | undefined {
    return this.#feed.fault
  }

  /** Nothing but the server stands in the way of the next event. */
  get hasRoom(): boolean {
    return this.#feed.hasRoom
  }

  /** Upholds E2: as many keys wait as may, so nothing more is read. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** How many events are not yet brought. */
  pending(): Promise<number> {
    return this.#feed.pending()
  }

  setLimit(limit: number): void {
    this.#limit = limit
    this.applyLimit()
  }

  /** Upholds E1 and E2: to be called when a line waits or does not any more. */
  applyLimit(): void {
    const { lines, runner, claim } = this.#options
    const isFull = lines.waiting.size >= this.#mostWaiting
    if (isFull && !this.#isFull)
      runner.log.error(
        { ...runner.labels, partition: claim.partition, keys: lines.waiting.size },
        'so many keys of a partition wait, for a retry or behind dead letters, that it reads nothing more until one of them goes on',
      )
    this.#isFull = isFull
    const limit = !this.#isRestored ? RESTORE_LIMIT : isFull ? 0 : this.#limit
    if (limit !== this.#feed.limit) this.#feed.setLimit(limit)
  }

  /** Upholds E1: to be called at the beginning. */
  restore(): void {
    if (this.#isRestored || this.#isOver) return
    clearTimeout(this.#patience)
    if (!this.#options.lines.isRestored) {
      this.#patience = setTimeout(() => void this.#askLeader(), PATIENCE_MS)
      return
    }
    this.#isRestored = true
    this.applyLimit()
    this.#options.onRestored()
  }

  /** Reads on with a new consumer: there is something it did not bring. */
  refresh(): void {
    if (this.#feed.limit > 0) this.#feed.refresh()
  }

  /** Goes past what is not of this partition, up to there. Never throws. Returns whether there is indeed nothing of it. */
  async advance(to: number): Promise<boolean> {
    const { lines, slice } = this.#options
    if (!this.#isRestored) return false
    try {
      // Whosever it is: it tells a stream that lost its end up to there.
      const last = await getStored(slice.nc, slice.stream, { seq: to })
      const missed = await firstOf(slice, { from: lines.snapshot().read + 1, upTo: to })
      if (missed) return false
      if (last) this.#saw(to, nanosOf(last.time))
      lines.advance(to)
      return true
    } catch {
      return false
    }
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#patience)
    this.#feed.stop()
  }

  #onEvent(msg: Msg, credit: Credit): void {
    const { runner, slice, claim, lines, onKept } = this.#options
    const delivery = readDelivery(msg, { via: 'event', epoch: slice.epoch, credit })
    delivery.claim = claim
    const { source } = delivery
    this.#saw(source.seq, source.storedAt)
    const arrival = lines.add(tokenOf(msg.subject, slice.filter), source.seq, delivery)
    if (arrival.kind !== 'kept' || !this.#isRestored) {
      credit.release()
      delivery.credit = noCredit
    }
    if (arrival.kind === 'kept') {
      tellStage('delivered', runner.labels, delivery)
      if (this.#isRestored) onKept(arrival.line)
    }
    this.applyLimit()
    this.restore()
  }

  #saw(seq: number, storedAt: string): void {
    if (seq > this.#seen.seen) this.#seen = { seen: seq, seenAt: storedAt }
  }

  /** Upholds E3: the consumer before may have gone with the stream. */
  async #checkEnd(): Promise<void> {
    const { slice, lines, onLost } = this.#options
    const { read } = lines.snapshot()
    const truth = await truthUpTo(slice, { read, ...this.#seen })
    if (this.#isOver || (truth !== undefined && truth >= read)) return
    onLost(truth === undefined ? 'the stream was made anew' : 'the stream lost its end')
  }

  /** What the record speaks of may have aged out, and then it never comes. Never throws. */
  async #askLeader(): Promise<void> {
    const { lines, slice, record } = this.#options
    const from = this.#feed.position + 1
    try {
      const expected = await firstOf(slice, { from, upTo: record.read })
      if (!expected) lines.endRestore()
      else if (this.#feed.position < from) this.#feed.refresh()
    } catch {
      // Asked again.
    }
    this.restore()
  }
}

import type { OutboxNames } from '../schema/names.ts'
import { Horizon } from './horizon.ts'
import type { ResolvedRelayOptions } from './options.ts'
import { Ownership, readWriters } from './ownership.ts'
import type { Session } from './session.ts'
import { ROWS_PER_LANE, type StreamDeps, StreamRelay } from './stream-relay.ts'
import * as table from './table.ts'

export type TurnParts = {
  readonly options: ResolvedRelayOptions
  readonly streams: Map<string, StreamRelay>
  readonly deps: StreamDeps
}

/** Rows of one partition that one scan brings. */
const SCAN_ROWS = 64
/** With so many in memory the table is not read further. */
const MEMORY_ROWS = 4096
/** Payloads read at once. */
const CLAIM_BYTES = 8 * 1024 ** 2
/** How soon to look again while a transaction holds a partition: one that is rolled back tells nobody. */
const HELD_MS = 50
/** How often depth is counted, in polls. */
const WATCH_POLLS = 5

/** What a relay does on one session: one statement after the other. */
export class Turn {
  readonly #session: Session
  readonly #options: ResolvedRelayOptions
  readonly #names: OutboxNames
  readonly #streams: Map<string, StreamRelay>
  readonly #deps: StreamDeps
  readonly #ownership: Ownership
  readonly #horizons = new Map<number, Horizon>()
  #polls = 0
  #pollAt = 0
  #scanAt = 0

  constructor(session: Session, { options, streams, deps }: TurnParts) {
    this.#session = session
    this.#options = options
    this.#names = options.names
    this.#streams = streams
    this.#deps = deps
    this.#ownership = new Ownership(session, options.names)
  }

  async begin(): Promise<void> {
    await this.#ownership.join()
  }

  /** One round; returns for how long there is nothing to do, ms. */
  async step(notified: readonly string[]): Promise<number> {
    if (performance.now() >= this.#pollAt) await this.#poll()
    await this.flush()
    for (const name of notified) if (name !== '') this.#streamOf(name)
    if (notified.length > 0 || performance.now() >= this.#scanAt || this.#isShort()) await this.#scan()
    let started = 0
    for (const stream of this.#streams.values()) {
      await this.#feed(stream)
      started += await this.#start(stream)
    }
    if (started > 0 || this.#isShort()) return 0
    const now = performance.now()
    const next = Math.min(
      this.#pollAt,
      this.#scanAt,
      ...[...this.#streams.values()].map((stream) => stream.nextAt(now)),
    )
    return Math.max(1, next - now)
  }

  /** Writes down what came out. What cannot be written stays for the next session. */
  async flush(): Promise<void> {
    for (const stream of this.#streams.values()) {
      const { published, faults } = stream
      const ids = published.slice(0, 10_000)
      if (ids.length > 0) await table.settle(this.#session, this.#names, { ids, keep: this.#options.keepMs > 0 })
      published.splice(0, ids.length)
      const told = faults.slice(0, 10_000)
      if (told.length > 0) await table.writeFaults(this.#session, this.#names, told)
      faults.splice(0, told.length)
    }
  }

  async #poll(): Promise<void> {
    this.#pollAt = performance.now() + this.#options.pollMs
    this.#scanAt = 0
    for (const partition of this.#ownership.leaving) {
      if ([...this.#streams.values()].some((stream) => stream.lanes.isBusy(partition))) continue
      for (const stream of this.#streams.values()) stream.forget(partition)
      this.#horizons.delete(partition)
      await this.#ownership.release(partition)
    }
    await this.#ownership.balance()
    this.#deps.metrics.owned(this.#ownership.owned.size)
    const waiting = await table.streamsWaiting(this.#session, this.#names)
    for (const name of waiting) this.#streamOf(name)
    for (const stream of this.#streams.values()) stream.locate()
    if (this.#options.keepMs > 0) await table.purge(this.#session, this.#names, this.#options.keepMs)
    // Not at first: whatever it takes, work comes before it.
    this.#polls += 1
    if (this.#polls % WATCH_POLLS === 0)
      this.#deps.metrics.depth(await table.depth(this.#session, this.#names, waiting))
  }

  async #scan(): Promise<void> {
    this.#scanAt = Infinity
    const { lastId, byPartition } = await readWriters(this.#session, this.#names)
    const none: ReadonlySet<string> = new Set()
    for (const partition of this.#ownership.owned) {
      const horizon = this.#horizons.get(partition) ?? new Horizon()
      this.#horizons.set(partition, horizon)
      horizon.observe(lastId, byPartition.get(partition) ?? none)
      if (horizon.isHeld) this.#scanAt = performance.now() + HELD_MS
    }
    for (const stream of this.#streams.values()) await this.#scanStream(stream)
  }

  /** Some stream has more rows in the table, and room for them. */
  #isShort(): boolean {
    return [...this.#streams.values()].some((stream) => stream.hasMore && stream.lanes.size < MEMORY_ROWS / 2)
  }

  async #scanStream(stream: StreamRelay): Promise<void> {
    stream.hasMore = stream.lanes.size >= MEMORY_ROWS
    if (stream.hasMore) return
    const spans = [...this.#ownership.owned]
      .filter((partition) => !this.#ownership.leaving.has(partition))
      .map((partition) => ({
        partition,
        after: stream.cursors.get(partition) ?? 0,
        upTo: this.#horizons.get(partition)?.readable ?? 0,
      }))
      .filter(({ after, upTo }) => upTo > after)
    if (spans.length === 0) return
    const found = await table.scan(this.#session, this.#names, { stream: stream.name, spans, limit: SCAN_ROWS })
    const now = performance.now()
    const counts = new Map<number, number>()
    for (const { partition, upTo } of spans) stream.cursors.set(partition, upTo)
    for (const row of found) {
      stream.lanes.add(row, now)
      const count = (counts.get(row.partition) ?? 0) + 1
      counts.set(row.partition, count)
      if (count === SCAN_ROWS) stream.cursors.set(row.partition, row.id)
    }
    stream.hasMore = [...counts.values()].includes(SCAN_ROWS)
  }

  async #feed(stream: StreamRelay): Promise<void> {
    for (const lane of stream.lanes.hungry()) {
      if (this.#ownership.leaving.has(lane.partition)) continue
      const upTo = stream.cursors.get(lane.partition) ?? 0
      const rows = await table.scanKey(this.#session, this.#names, {
        stream: stream.name,
        lane,
        upTo,
        limit: SCAN_ROWS,
      })
      stream.lanes.feed(lane, rows, rows.length < SCAN_ROWS)
    }
  }

  async #start(stream: StreamRelay): Promise<number> {
    const room = stream.room(this.#options.inFlight)
    if (room === 0 || stream.lanes.size === 0) return 0
    const { position } = stream
    if (!position) return 0
    const taken = stream.lanes.take(performance.now(), {
      rows: room,
      bytes: CLAIM_BYTES,
      perLane: stream.isFailing ? 1 : ROWS_PER_LANE,
      except: this.#ownership.leaving,
    })
    const ids = taken.flatMap(({ rows }) => rows.map(({ id }) => id))
    if (ids.length === 0) return 0
    const claimed = await table.claim(this.#session, this.#names, { ids, position })
    stream.send(taken, { claimed, position, session: this.#session })
    return ids.length
  }

  #streamOf(name: string): StreamRelay {
    const known = this.#streams.get(name)
    if (known) return known
    const made = new StreamRelay(name, this.#deps)
    this.#streams.set(name, made)
    return made
  }
}

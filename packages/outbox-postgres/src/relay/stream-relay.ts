import { type Logger, type Mesh, streamState } from '@malha/mesh'
import { OutboxError, reasonOf } from '../errors.ts'
import type { OutboxMetrics } from '../metrics.ts'
import { alreadyStored, type Sendable } from './already-stored.ts'
import { type Lane, Lanes, type Waiting } from './lanes.ts'
import { outcomeOf, type Outcome, rowDelayMs, streamDelayMs } from './outcome.ts'
import type { Session } from './session.ts'
import type { Claimed, Fault, Position } from './table.ts'

export type StreamDeps = {
  readonly mesh: Mesh
  readonly log: Logger
  readonly metrics: OutboxMetrics
  readonly publishMs: number
  /** Called when there is something to write down or to start. */
  readonly wake: () => void
  readonly isStopping: () => boolean
}

/** Rows taken from a lane at once: they go one by one, without asking the database in between. */
export const ROWS_PER_LANE = 32

/** What waits of one stream, and its way out. One stream that is full or away does not hold up another. */
export class StreamRelay {
  readonly name: string
  lanes: Lanes = new Lanes()
  /** By partition: up to which id the table was read. */
  readonly cursors: Map<number, number> = new Map()
  /** More rows are in the table than were read. */
  hasMore = false
  /** Rows to be written down as published. They stay when the session is lost: what is published is published. */
  readonly published: number[] = []
  readonly faults: Fault[] = []
  readonly #deps: StreamDeps
  readonly #sending = new Set<Promise<void>>()
  #inFlight = 0
  #heldUntil = 0
  #failures = 0
  #position: Position | undefined
  #isLocating = false

  constructor(name: string, deps: StreamDeps) {
    this.name = name
    this.#deps = deps
  }

  /** Where the stream stands, as far as it is known; asked for in the background. */
  get position(): Position | undefined {
    if (this.#position === undefined) this.locate()
    return this.#position
  }

  /** Asks where the stream stands: it may have been made again. */
  locate(): void {
    if (this.#isLocating) return
    this.#isLocating = true
    void this.#locate().finally(() => (this.#isLocating = false))
  }

  async #locate(): Promise<void> {
    try {
      const { mesh } = this.#deps
      const { epoch, lastSeq } = await streamState(mesh.nats, mesh.names.stream(this.name))
      const isNew = this.#position === undefined
      this.#position = { epoch, lastSeq }
      if (isNew) this.#deps.wake()
    } catch (error) {
      this.#hold(reasonOf(error))
    }
  }

  /** How many rows may be started now; one at a time after a failure, until one succeeds. */
  room(inFlight: number): number {
    if (performance.now() < this.#heldUntil) return 0
    return Math.max(0, (this.#failures > 0 ? 1 : inFlight) - this.#inFlight)
  }

  /** performance.now() at which something held may go on. */
  nextAt(now: number): number {
    return this.#heldUntil > now ? this.#heldUntil : this.lanes.nextAt(now)
  }

  get isFailing(): boolean {
    return this.#failures > 0
  }

  /** Sends what was taken from the lanes, each lane in its order. `claimed` lacks rows that are gone from the table. */
  send(
    taken: readonly { lane: Lane; rows: Waiting[] }[],
    { claimed, position, session }: { claimed: ReadonlyMap<number, Claimed>; position: Position; session: Session },
  ): void {
    // One that cannot be read was never sent.
    const doubtful = [...claimed.values()].filter(
      (row): row is Sendable => row.tries > 1 && !(row.event instanceof OutboxError),
    )
    const { mesh } = this.#deps
    const known =
      doubtful.length === 0 ? undefined : alreadyStored(mesh, { stream: this.name, rows: doubtful, position })
    known?.catch((error: unknown) => this.#hold(reasonOf(error)))
    for (const { lane, rows } of taken) {
      this.#inFlight += rows.length
      const isDoubtful = rows.some(({ id }) => (claimed.get(id)?.tries ?? 0) > 1)
      const sending = this.#sendLane(lane, { rows, claimed, session, known: isDoubtful ? known : undefined })
      this.#sending.add(sending)
      void sending.finally(() => this.#sending.delete(sending))
    }
  }

  /** When everything that is on its way has its answer. */
  async idle(): Promise<void> {
    await Promise.all(this.#sending)
  }

  /** What was read is read again: by the next session, or by another relay. */
  restart(): void {
    this.lanes = new Lanes()
    this.cursors.clear()
    this.#position = undefined
  }

  /** A partition goes to another relay. */
  forget(partition: number): void {
    this.lanes.forget(partition)
    this.cursors.delete(partition)
  }

  async #sendLane(
    lane: Lane,
    {
      rows,
      claimed,
      session,
      known,
    }: {
      rows: Waiting[]
      claimed: ReadonlyMap<number, Claimed>
      session: Session
      known: Promise<Set<number>> | undefined
    },
  ): Promise<void> {
    let unsent: Waiting[] = rows
    let heldUntil = 0
    try {
      const stored = known === undefined ? undefined : await known.catch(() => undefined)
      if (known !== undefined && stored === undefined) return
      while (unsent.length > 0 && session.isSure && !this.#deps.isStopping()) {
        const row = claimed.get(unsent[0]!.id)
        if (row) {
          const outcome = stored?.has(row.id) ? ({ kind: 'published' } as const) : await this.#publish(row)
          const waitMs = this.#note(row, outcome)
          if (waitMs !== undefined) {
            heldUntil = performance.now() + waitMs
            break
          }
        }
        unsent = unsent.slice(1)
      }
    } finally {
      this.#inFlight -= rows.length
      this.lanes.give(lane, unsent, heldUntil)
      this.#deps.wake()
    }
  }

  async #publish(row: Claimed): Promise<Outcome> {
    if (row.event instanceof OutboxError) return outcomeOf(row.event)
    try {
      await this.#deps.mesh.publishPrepared(row.event, { timeoutMs: this.#deps.publishMs })
      return { kind: 'published' }
    } catch (error) {
      return outcomeOf(error)
    }
  }

  /** Returns for how long the row's lane is held; undefined when it goes on. */
  #note(row: Claimed, outcome: Outcome): number | undefined {
    if (outcome.kind !== 'published') return this.#noteFault(row, outcome)
    this.#failures = 0
    this.published.push(row.id)
    this.#deps.metrics.published(this.name, (performance.now() - row.addedAt) / 1000)
    this.#deps.wake()
    return undefined
  }

  #noteFault(row: Claimed, outcome: Exclude<Outcome, { kind: 'published' }>): number | undefined {
    const { log, metrics } = this.#deps
    const { id: messageId, type } = row.event instanceof OutboxError ? {} : row.event.envelope
    const about = { row: row.id, messageId, type, reason: outcome.reason }
    if (outcome.kind === 'dead') {
      this.faults.push({ id: row.id, reason: outcome.reason, waitMs: undefined })
      metrics.dead(this.name, outcome.code)
      log.error(about, 'outbox: a row was refused for good; it is kept as dead')
      return undefined
    }
    metrics.retried(this.name)
    if (outcome.kind === 'stream') {
      this.#hold(outcome.reason)
      return 0
    }
    const waitMs = rowDelayMs(row.tries)
    this.faults.push({ id: row.id, reason: outcome.reason, waitMs })
    log.warn({ ...about, waitMs }, 'outbox: a row has to wait')
    return waitMs
  }

  /** One failure at a time counts: many rows find out at once. */
  #hold(reason: string): void {
    if (performance.now() < this.#heldUntil) return
    this.#failures += 1
    this.#position = undefined
    this.#heldUntil = performance.now() + streamDelayMs(this.#failures)
    if (this.#failures === 1 && !this.#deps.isStopping())
      this.#deps.log.warn({ stream: this.name, reason }, 'outbox: the stream takes nothing now; trying again')
    this.#deps.wake()
  }
}

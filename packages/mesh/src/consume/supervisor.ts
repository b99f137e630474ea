/**
 * Looks after one handler's durables while it runs: their progress (metrics, checkpoint, what aged out), and that they
 * are there at all.
 */
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type LetterOffice, writeExpiredLetter } from '../failure/dead-letter.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { Logger } from '../observe/logger.ts'
import type { ConsumerGauges, MeshMetrics } from '../observe/mesh-metrics.ts'
import { getStored, nextStored } from '../read/stored-message.ts'
import { readCheckpoint, writeCheckpoint } from '../topology/checkpoint.ts'
import { type ConsumerFloor, consumerFloor, type StreamState, streamState } from '../topology/stream-state.ts'
import { GIVEN_UP, givesUp, liftLimit, limitFault } from './given-up.ts'
import { LaneDurable } from './lane-durable.ts'
import { LookFault } from './look-fault.ts'
import { nanosOf } from './ordered/stored-delivery.ts'
import { type Progress, progress, type Range, united } from './progress.ts'
import { IN_VAIN, SET_BACK, setBack, trueEnd } from './set-back.ts'
import { seenOf, type Supervised, type Watched, watched } from './watched.ts'

export type SupervisorOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  log: Logger
  metrics: MeshMetrics
  office: LetterOffice
  labels: { service: string; handler: string }
  /** As the server names it. */
  stream: string
  durables: readonly [Supervised, ...Supervised[]]
  /** The handler's durable on the lanes, as the server names it. */
  lane: { stream: string; durable: string }
  checkpoints: Parameters<typeof writeCheckpoint>[0]
  /** Makes missing durables again and returns the stream's epoch. Does nothing where all is there. */
  restore: () => Promise<readonly Supervised[]>
  /** Whether `restore` makes durables. */
  mayMake: boolean
  onEpoch: (epoch: number) => void
  /** What it delivers up to here it may have delivered before. */
  onRepeat: (upTo: number) => void
  /** How long the stream keeps events: looks must be closer together. */
  maxAgeMs: number
}

type LookedAt = Progress & { watched: Watched; floor: ConsumerFloor }

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #timer: NodeJS.Timeout
  #epoch: number
  #durables: Watched[]
  #busy: Promise<void> | undefined
  #doubt: string | undefined
  readonly #fault = new LookFault()
  #gauges: ConsumerGauges | undefined
  readonly #lane: LaneDurable

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#epoch = options.durables[0].epoch
    this.#durables = options.durables.map(watched)
    this.#lane = new LaneDurable(options)
    this.#timer = setInterval(() => void this.look(), Math.max(250, Math.min(5000, options.maxAgeMs / 4)))
  }

  /** As of the last look; undefined before the first. */
  get gauges(): ConsumerGauges | undefined {
    return this.#gauges
  }

  /** Why the handler cannot work, for readiness. */
  get fault(): string | undefined {
    return this.#fault.reason
  }

  /** There is a sign that the durable is gone: look now. */
  doubt(why: string): void {
    this.#doubt = why
    void this.look()
  }

  /** Never throws; what fails is seen again at the next look. */
  async look(): Promise<void> {
    if (this.#busy || this.#options.nc.isClosed()) return
    this.#busy = this.#look()
    await this.#busy
    this.#busy = undefined
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#lane.stop()
    // One that is under way began before the last message was done.
    await this.#busy
    if (this.#options.connection.isUp()) await this.look()
  }

  async #look(): Promise<void> {
    try {
      if (this.#doubt !== undefined) await this.#restore()
      // A stream made anew shows in its state: what it had is void from now on, not from the next look on.
      if (!(await this.#measure())) {
        await this.#restore()
        await this.#measure()
      }
      await this.#lane.look()
      this.#fault.clear()
    } catch (error) {
      this.#onError(error)
    }
  }

  async #restore(): Promise<void> {
    const found = await this.#options.restore()
    const epoch = found[0]?.epoch
    this.#doubt = undefined
    if (epoch === undefined || epoch === this.#epoch) return
    this.#options.log.warn(
      { ...this.#options.labels, stream: this.#options.stream },
      'the stream was made anew; the handler begins at its start',
    )
    this.#epoch = epoch
    this.#durables = found.map(watched)
    this.#options.onEpoch(epoch)
  }

  /** False when the stream is another one. */
  async #measure(): Promise<boolean> {
    const { nc, stream, metrics, labels } = this.#options
    const state = await streamState(nc, stream)
    if (state.epoch !== this.#epoch) {
      this.#doubt = 'the stream was made anew'
      return false
    }
    const looks = await Promise.all(this.#durables.map((watched) => this.#lookAt(watched, state)))
    // What a stream forgot is one loss of the handler, however many durables it has there.
    for (const range of united(looks.flatMap(({ expired }) => expired ?? []))) await this.#onExpired(range)
    const sum = { pending: 0, ackPending: 0, oldestMs: 0 }
    for (const look of looks) {
      const { floor } = look
      sum.pending += floor.pending
      sum.ackPending += floor.ackPending
      sum.oldestMs = Math.max(sum.oldestMs, await this.#settle(look, state))
    }
    this.#gauges = { ...sum, expiresInMs: Math.max(0, state.maxAgeMs - sum.oldestMs) }
    metrics.consumer(labels, this.#gauges)
    return true
  }

  async #lookAt(watched: Watched, state: StreamState): Promise<LookedAt> {
    const { checkpoints } = this.#options
    const floor = await this.#floorOf(watched, state)
    const look = { ...state, ...floor }
    const found = progress(watched.settled, look)
    if (!found.expired) return { watched, floor, ...found }
    // Another instance may have told of it already.
    const shared = (await readCheckpoint(checkpoints, watched.durable))?.settled ?? 0
    return { watched, floor, ...progress(Math.max(shared, watched.settled), look) }
  }

  /** Where a durable stands; it is set back first where that is past what its stream has. */
  async #floorOf(watched: Watched, { lastSeq }: StreamState): Promise<ConsumerFloor> {
    const { nc, stream, checkpoints, log, labels, onRepeat } = this.#options
    const floor = await consumerFloor(nc, stream, watched.durable)
    if (watched.isFirst) {
      const checkpoint = await readCheckpoint(checkpoints, watched.durable)
      if (checkpoint?.epoch === this.#epoch) Object.assign(watched, seenOf(checkpoint))
    }
    if (floor.delivered < (watched.seen?.seq ?? 0)) onRepeat(watched.seen!.seq)
    const isGivenUp = watched.isLimited || givesUp(floor, watched.isFirst)
    const { delivered } = floor
    if (!isGivenUp && delivered <= lastSeq && watched.checkedAt === lastSeq) return floor
    const { filters, seen, settled } = watched
    const end = await trueEnd({ nc, stream, epoch: this.#epoch, filters }, { delivered, seen, settled })
    watched.checkedAt = lastSeq
    if (end !== undefined && watched.setBack === undefined) {
      const after = await this.#setBack(watched, floor, { end, why: SET_BACK })
      watched.setBack = 'once'
      return after
    }
    if (isGivenUp) return this.#recoverGivenUp(watched, floor)
    if (end !== undefined) {
      // Its leader has events that the stream's leader has not: to set it back again would repeat them for ever.
      const fields = { ...labels, stream, durable: watched.durable, delivered, end }
      if (watched.setBack === 'once') log.error(fields, IN_VAIN)
      watched.setBack = 'in vain'
      return floor
    }
    watched.setBack = undefined
    await this.#remember(watched, delivered)
    return floor
  }

  /** Set back first: should this process end in between, the limit is found again. */
  async #recoverGivenUp(watched: Watched, floor: ConsumerFloor): Promise<ConsumerFloor> {
    const { nc, stream, mayMake, onRepeat } = this.#options
    const isLimited = floor.mostDeliveries < Infinity
    watched.isLimited = true
    if (isLimited && !mayMake) throw limitFault(floor)
    onRepeat(floor.delivered)
    const after = await this.#setBack(watched, floor, { end: watched.settled, why: GIVEN_UP })
    if (isLimited) await liftLimit(nc, { stream, durable: watched.durable })
    watched.isLimited = false
    return after
  }

  async #remember(watched: Watched, seq: number): Promise<void> {
    if (seq === 0 || seq === watched.seen?.seq) return
    const stored = await getStored(this.#options.nc, this.#options.stream, { seq })
    if (stored) watched.seen = { seq, at: nanosOf(stored.time) }
  }

  async #setBack(
    watched: Watched,
    floor: ConsumerFloor,
    { end, why }: { end: number; why: string },
  ): Promise<ConsumerFloor> {
    const { nc, stream, checkpoints, log, labels, mayMake } = this.#options
    const { durable } = watched
    const { setBacks: others = 0 } = (await readCheckpoint(checkpoints, durable)) ?? {}
    // What was given up since another instance did so is not brought by that.
    const isDone = why === SET_BACK && others > watched.setBacks
    const seq = Math.min(floor.ackFloor, end) + 1
    const { refusal, done } = isDone ? {} : await setBack(nc, { stream, durable, seq })
    const { delivered } = floor
    if (refusal !== undefined && !mayMake)
      throw new Error(
        `it stands at ${delivered}, has to go back to ${end}, and cannot be set back (${refusal}); delete it and make it again from ${seq} on`,
      )
    Object.assign(watched, {
      setBacks: isDone ? others : others + 1,
      settled: Math.min(watched.settled, end),
      seen: undefined,
      lastSetBack: done ?? watched.lastSetBack,
    })
    watched.written = -1
    if (refusal !== undefined) {
      await this.#checkpoint(watched, seq - 1)
      await (await jetstreamManager(nc, { checkAPI: false })).consumers.delete(stream, durable)
      await this.#restore()
    }
    const fields = { ...labels, stream, durable, delivered, from: seq }
    if (!isDone) log.error(fields, why)
    await this.#remember(watched, end)
    return consumerFloor(nc, stream, durable)
  }

  /** Takes down how far a durable is. Returns how old its oldest event is. */
  async #settle({ watched, settled }: LookedAt, state: StreamState): Promise<number> {
    watched.isFirst = false
    const { nc, stream } = this.#options
    const next = { seq: settled + 1, filters: watched.filters }
    const oldest = settled < state.lastSeq ? await nextStored(nc, stream, next) : undefined
    // What lies before it is not for this handler: when that ages out, nothing is lost. The stream's leader says so.
    watched.settled = Math.max(settled, oldest ? oldest.seq - 1 : state.lastSeq)
    await this.#checkpoint(watched)
    return oldest ? Math.max(0, Date.now() - Date.parse(oldest.time)) : 0
  }

  async #onExpired(range: Range): Promise<void> {
    const { stream, office, log, metrics, labels } = this.#options
    await writeExpiredLetter(office, { stream, epoch: this.#epoch, ...range })
    metrics.expired(labels, range.to - range.from + 1)
    metrics.deadLetter(labels, 'MESH_EXPIRED')
    log.error({ ...labels, stream, ...range }, 'events aged out before this handler was past them; see its dead letter')
  }

  async #checkpoint(watched: Watched, floor = watched.settled): Promise<void> {
    const { durable, settled, seen, setBacks, lastSetBack } = watched
    if (watched.written === settled) return
    const { checkpoints, stream } = this.#options
    const also = { ...(seen && { seen }), ...(setBacks > 0 && { setBacks }), ...(lastSetBack && { lastSetBack }) }
    const next = { v: 1, stream, epoch: this.#epoch, floor, settled, ...also } as const
    const isWritten = await writeCheckpoint(checkpoints, durable, next)
    watched.written = settled
    if (!isWritten) await this.#follow(watched)
  }

  /** Where another process set the durable back, what this one knows of it is from before. */
  async #follow(watched: Watched): Promise<void> {
    const found = await readCheckpoint(this.#options.checkpoints, watched.durable)
    if (found?.epoch !== this.#epoch || (found.setBacks ?? 0) <= watched.setBacks) return
    this.#options.onRepeat(watched.seen?.seq ?? watched.settled)
    Object.assign(watched, seenOf(found), { settled: Math.min(watched.settled, found.settled), written: -1 })
  }

  #onError(error: unknown): void {
    const { log, labels, stream, nc } = this.#options
    if (nc.isClosed()) return
    const message = error instanceof Error ? error.message : String(error)
    if (/not found/i.test(message)) this.#doubt ??= message
    const fault = `handler ${labels.handler}: its consumer on ${stream}: ${message}`
    if (this.#fault.set(fault, error))
      log.warn({ ...labels, stream, err: error }, 'the consumer cannot be looked at; trying again')
  }
}

/**
 * Looks after one handler's durables while it runs: their progress (metrics, checkpoint, what aged out), and that they
 * are there at all.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { type LetterOffice, writeExpiredLetter } from '../failure/dead-letter.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import { getStored, type StoredMessage } from '../publish/stored-message.ts'
import { readCheckpoint, writeCheckpoint } from '../topology/checkpoint.ts'
import { consumerFloor, streamState } from '../topology/stream-state.ts'
import { progress } from './progress.ts'

export type SupervisorOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  log: Logger
  metrics: MeshMetrics
  office: LetterOffice
  labels: { service: string; handler: string }
  /** Names on the server. */
  stream: string
  durable: string
  /** What the durable takes, as the server sees it. */
  filters: readonly string[]
  epoch: number
  /** All up to here is settled already. */
  settled: number
  checkpoints: Parameters<typeof writeCheckpoint>[0]
  /** Makes missing durables again and returns the stream's epoch. Does nothing where all is there. */
  restore: () => Promise<{ epoch: number; settled: number }>
  onEpoch: (epoch: number) => void
  /** How long the stream keeps events: looks must be closer together. */
  maxAgeMs: number
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #timer: NodeJS.Timeout
  #epoch: number
  #settled: number
  #written = -1
  #busy = false
  #isFirst = true
  #doubt: string | undefined
  #fault: string | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#epoch = options.epoch
    this.#settled = options.settled
    this.#timer = setInterval(() => void this.look(), Math.max(250, Math.min(5000, options.maxAgeMs / 4)))
  }

  /** Why the handler cannot work, for readiness. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** There is a sign that the durable is gone: look now. */
  doubt(why: string): void {
    this.#doubt = why
    void this.look()
  }

  /** Never throws; what fails is seen again at the next look. */
  async look(): Promise<void> {
    if (this.#busy || this.#options.nc.isClosed()) return
    this.#busy = true
    try {
      if (this.#doubt !== undefined) await this.#restore()
      await this.#measure()
      this.#fault = undefined
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#busy = false
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#options.connection.isUp()) await this.look()
  }

  async #restore(): Promise<void> {
    const { epoch, settled } = await this.#options.restore()
    this.#doubt = undefined
    if (epoch === this.#epoch) return
    this.#options.log.warn(
      { ...this.#options.labels, stream: this.#options.stream },
      'the stream was made anew; the handler begins at its start',
    )
    this.#epoch = epoch
    this.#settled = settled
    this.#isFirst = true
    this.#options.onEpoch(epoch)
  }

  async #measure(): Promise<void> {
    const { nc, stream, durable, metrics, labels } = this.#options
    const state = await streamState(nc, stream)
    const floor = await consumerFloor(nc, stream, durable)
    if (state.epoch !== this.#epoch) {
      this.#doubt = 'the stream was made anew'
      return
    }
    let { settled, expired } = progress(this.#settled, { ...state, ...floor }, this.#isFirst)
    if (expired) {
      // Another instance may have told of it already.
      const shared = (await readCheckpoint(this.#options.checkpoints, durable))?.settled ?? 0
      ;({ settled, expired } = progress(Math.max(shared, this.#settled), { ...state, ...floor }, this.#isFirst))
    }
    if (expired) await this.#onExpired(expired)
    this.#isFirst = false
    const oldest = settled < state.lastSeq ? await this.#oldestFrom(settled + 1) : undefined
    const oldestMs = oldest ? Math.max(0, Date.now() - Date.parse(oldest.time)) : 0
    // What lies before it is not for this handler: when that ages out, nothing is lost. The stream's leader says so.
    this.#settled = Math.max(settled, oldest ? oldest.seq - 1 : state.lastSeq)
    metrics.consumer(labels, {
      pending: floor.pending,
      ackPending: floor.ackPending,
      oldestMs,
      expiresInMs: Math.max(0, state.maxAgeMs - oldestMs),
    })
    await this.#checkpoint()
  }

  /** The first event for this handler at or after `seq`. */
  async #oldestFrom(seq: number): Promise<StoredMessage | undefined> {
    const { nc, stream, filters } = this.#options
    const found = await Promise.all(filters.map((filter) => getStored(nc, stream, { seq, next_by_subj: filter })))
    return found.filter((one) => one !== undefined).sort((a, b) => a.seq - b.seq)[0]
  }

  async #onExpired(range: { from: number; to: number }): Promise<void> {
    const { stream, office, log, metrics, labels } = this.#options
    await writeExpiredLetter(office, { stream, epoch: this.#epoch, ...range })
    metrics.expired(labels, range.to - range.from + 1)
    metrics.deadLetter(labels, 'MESH_EXPIRED')
    log.error({ ...labels, stream, ...range }, 'events aged out before this handler was past them; see its dead letter')
  }

  async #checkpoint(): Promise<void> {
    if (this.#written === this.#settled) return
    const { checkpoints, durable, stream } = this.#options
    await writeCheckpoint(checkpoints, durable, {
      v: 1,
      stream,
      epoch: this.#epoch,
      floor: this.#settled,
      settled: this.#settled,
    })
    this.#written = this.#settled
  }

  #onError(error: unknown): void {
    const { log, labels, durable, stream, nc } = this.#options
    if (nc.isClosed()) return
    const message = error instanceof Error ? error.message : String(error)
    if (/not found/i.test(message)) this.#doubt ??= message
    const fault = `handler ${labels.handler}: ${durable} on ${stream}: ${message}`
    if (fault !== this.#fault)
      log.warn({ ...labels, stream, err: error }, 'the consumer cannot be looked at; trying again')
    this.#fault = fault
  }
}

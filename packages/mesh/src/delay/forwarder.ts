/**
 * Brings due events of one type to their stream. Any number of processes do so side by side, on one durable.
 *
 * F1  A due event is acked after its stream has it, or after its dead letter is stored.
 * F2  It is stored once: its id is its `Nats-Msg-Id`, and where the stream's window may be over it is looked for first. No
 *     publish leaves after its time (pipeline, P5), so a process that was stopped publishes nothing it looked up before.
 * F3  What cannot be stored is tried again, more and more seldom, and somebody is told. What this user may not store goes
 *     back to those who may.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Msg, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { type Delivery, readDelivery } from '../consume/delivery.ts'
import { PullLoop } from '../consume/pull-loop.ts'
import type { Settler } from '../consume/settler.ts'
import { MeshError } from '../errors.ts'
import { backoffMs } from '../failure/backoff.ts'
import { type LetterOffice, writeLetter } from '../failure/dead-letter.ts'
import { retry } from '../failure/retry-policy.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { HEADER, type HeaderPairs } from '../message/headers.ts'
import { isSubjectOf } from '../message/key.ts'
import type { Logger } from '../observe/logger.ts'
import { type MeshMetrics, publishedLabels } from '../observe/mesh-metrics.ts'
import { dueSpan } from '../observe/spans.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import type { PubAck } from '../publish/pub-ack.ts'
import { getStored } from '../read/stored-message.ts'
import type { Names } from '../topology/names.ts'
import type { AlreadyStored } from './already-stored.ts'
import { type DueEvent, readDueEvent } from './due-event.ts'
import type { ServerClock } from '../lifecycle/server-clock.ts'

export type ForwarderOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  pipeline: PublishPipeline
  settler: Settler
  clock: ServerClock
  stored: AlreadyStored
  metrics: MeshMetrics
  log: Logger
  inboxPrefix: string
  office: LetterOffice
  type: string
  /** Creation time of the stream of delays, unix seconds. */
  epoch: () => number
  onDoubt: (why: string) => void
}

/** Within the durable's `ack_wait`, so that it does not go to another while it is tried here. */
const PUBLISH_MS = 8000
const AGAIN = retry({ minDelayMs: 1000, maxDelayMs: 60_000, factor: 2 })
/** Looking may take longer than the durable's `ack_wait`. */
const WORKING_MS = 3000
/** One line in the log for all that fail meanwhile. */
const SAY_MS = 10_000
const IN_HAND = 512
const STOP_MS = 5000

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #labels: ReturnType<typeof publishedLabels>
  readonly #loop: PullLoop
  readonly #running = new Map<Delivery, Promise<void>>()
  readonly #unlisten: () => void
  readonly #working: NodeJS.Timeout
  #isDenied = false
  #saidAt = -Infinity
  #unsaid = 0

  constructor(options: ForwarderOptions) {
    const { nc, connection, names, type, inboxPrefix, settler, onDoubt, log } = options
    this.#options = options
    this.#labels = publishedLabels(type)
    const stream = names.delays()
    const durable = names.delayDurable(type)
    this.#loop = new PullLoop(nc, {
      connection,
      stream,
      durable,
      inboxPrefix,
      limit: IN_HAND,
      onMessage: (msg) => this.#onMessage(msg),
      onLapse: () => settler.sendAgain(),
      onDoubt,
    })
    this.#unlisten = connection.listen({
      error: (error) => {
        if (!(error instanceof PermissionViolationError) || this.#isDenied) return
        const isPull = error.subject === `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`
        const isEvent = error.operation === 'publish' && isSubjectOf(type, names.strip(error.subject))
        if (!isPull && !isEvent) return
        this.#isDenied = true
        if (isEvent) log.warn({ type }, 'this user may pull what is due, but not publish it; it is left to others')
        void this.stop()
      },
    })
    this.#working = setInterval(() => {
      for (const delivery of this.#running.keys()) settler.working(delivery.reply)
    }, WORKING_MS)
  }

  /** This user may not pull them, or not publish them: others do. */
  get isDenied(): boolean {
    return this.#isDenied
  }

  async stop(): Promise<void> {
    if (!this.#isDenied && this.#loop.mayLose) await this.#loop.runOut()
    this.#unlisten()
    await this.#loop.stop()
    await Promise.race([Promise.allSettled(this.#running.values()), sleep(STOP_MS, undefined, { ref: false })])
    clearInterval(this.#working)
  }

  #onMessage(msg: Msg): void {
    const delivery = readDelivery(msg, { via: 'event', epoch: this.#options.epoch(), credit: this.#loop })
    const run = this.#forward(delivery).finally(() => {
      this.#running.delete(delivery)
      this.#loop.release()
    })
    this.#running.set(delivery, run)
  }

  /** Upholds F1. Never throws. */
  async #forward(delivery: Delivery): Promise<void> {
    try {
      await this.#store(delivery)
      this.#options.settler.ack(delivery.reply)
    } catch (error) {
      if (error instanceof MeshError && error.disposition === 'terminal') await this.#bury(delivery, error)
      else this.#again(delivery, error)
    }
  }

  /** Upholds F3. */
  #again(delivery: Delivery, error: unknown): void {
    const { settler, metrics, type } = this.#options
    if (this.#isDenied) return settler.nak(delivery.reply)
    metrics.delayFailed(type, error instanceof MeshError ? error.code : 'UNKNOWN')
    this.#say(delivery, error)
    settler.nak(delivery.reply, backoffMs(AGAIN, delivery.deliveryCount))
  }

  #say(delivery: Delivery, error: unknown): void {
    const { log, type } = this.#options
    this.#unsaid++
    if (performance.now() - this.#saidAt < SAY_MS) return
    const about = { type, seq: delivery.deliveredSeq, deliveries: delivery.deliveryCount, failures: this.#unsaid }
    log.error({ ...about, err: error }, 'a due event cannot be brought to its stream; it is tried again')
    this.#saidAt = performance.now()
    this.#unsaid = 0
  }

  async #store(delivery: Delivery): Promise<void> {
    const { names, type, clock, metrics } = this.#options
    const due = readDueEvent(names, type, delivery)
    const span = dueSpan(due, delivery.payload.length)
    const startedAt = performance.now()
    try {
      const ack = await this.#storeOnce(delivery, due, span.headers(undefined))
      span.end(ack)
      metrics.published(this.#labels.ok, performance.now() - startedAt)
      metrics.lateness(type, clock.estimate() - due.dueMs)
    } catch (error) {
      span.fail(error)
      metrics.published(this.#labels.error, performance.now() - startedAt)
      throw error
    }
  }

  /** Upholds F2. */
  async #storeOnce(delivery: Delivery, due: DueEvent, trace: HeaderPairs): Promise<PubAck> {
    const { pipeline, stored } = this.#options
    const seq = await stored.find(due, delivery.source.publishedAt)
    if (seq !== undefined) return { stream: due.stream, seq, duplicate: true, resent: true }
    const headers = [...due.headers, ...trace, [HEADER.msgId, due.id] as const]
    const ack = await pipeline.publish({
      subject: due.subject,
      payload: delivery.payload,
      headers,
      timeoutMs: PUBLISH_MS,
    })
    if (ack.duplicate) await this.#compare(ack, due, delivery)
    return ack
  }

  /** An event of this id is there. If it is another one, this one must not vanish without a word. */
  async #compare(ack: PubAck, due: DueEvent, delivery: Delivery): Promise<void> {
    const there = await getStored(this.#options.nc, ack.stream, { seq: ack.seq })
    if (!there || (there.subject === due.subject && there.payload.equals(delivery.payload))) return
    throw new MeshError(
      'MESH_ID_CONFLICT',
      `id ${due.id} was taken by another event (${there.subject}, sequence ${there.seq}) when this delayed one came`,
    )
  }

  async #bury(delivery: Delivery, error: MeshError): Promise<void> {
    const { office, settler, log, metrics, type } = this.#options
    try {
      await writeLetter(office, delivery, { code: error.code, message: error.message, error })
      metrics.deadLetter({ service: office.service, handler: office.handler }, error.code)
      log.error({ type, seq: delivery.deliveredSeq, err: error }, 'a due event became a dead letter')
      settler.term(delivery.reply)
    } catch (failed) {
      log.debug({ type, err: error }, 'a due event has to become a dead letter')
      this.#again(delivery, failed)
    }
  }
}

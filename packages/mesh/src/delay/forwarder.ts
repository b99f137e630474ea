/**
 * Brings due events of one type to their stream. Any number of processes do so side by side, on one durable.
 *
 * F1  A due event is acked after its stream has it, or after its dead letter is stored.
 * F2  It is stored once: its id is its `Nats-Msg-Id`, and one that comes back after the stream's window is looked for first.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Msg, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { type Delivery, readDelivery } from '../consume/delivery.ts'
import { PullLoop } from '../consume/pull-loop.ts'
import type { Settler } from '../consume/settler.ts'
import { MeshError } from '../errors.ts'
import { type LetterOffice, writeLetter } from '../failure/dead-letter.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { HEADER, type HeaderPairs } from '../message/headers.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import { dueSpan } from '../observe/spans.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import type { PubAck } from '../publish/pub-ack.ts'
import { getStored } from '../publish/stored-message.ts'
import type { Names } from '../topology/names.ts'
import { isStoredSince } from './already-stored.ts'
import { type DueEvent, readDueEvent } from './due-event.ts'
import type { ServerClock } from './server-clock.ts'

export type ForwarderOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  pipeline: PublishPipeline
  settler: Settler
  clock: ServerClock
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
const AGAIN_MS = 1000
const IN_HAND = 512
const STOP_MS = 5000

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #loop: PullLoop
  readonly #running = new Set<Promise<void>>()
  readonly #unlisten: () => void
  #isDenied = false

  constructor(options: ForwarderOptions) {
    const { nc, connection, names, type, inboxPrefix, settler, onDoubt } = options
    this.#options = options
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
        if (!(error instanceof PermissionViolationError)) return
        if (error.subject !== `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`) return
        this.#isDenied = true
        void this.stop()
      },
    })
  }

  /** This user may not pull them: others do. */
  get isDenied(): boolean {
    return this.#isDenied
  }

  async stop(): Promise<void> {
    this.#unlisten()
    await this.#loop.stop()
    await Promise.race([Promise.allSettled(this.#running), sleep(STOP_MS, undefined, { ref: false })])
  }

  #onMessage(msg: Msg): void {
    const delivery = readDelivery(msg, { via: 'event', epoch: this.#options.epoch(), credit: this.#loop })
    const run = this.#forward(delivery).finally(() => {
      this.#running.delete(run)
      this.#loop.release()
    })
    this.#running.add(run)
  }

  /** Upholds F1. Never throws. */
  async #forward(delivery: Delivery): Promise<void> {
    const { settler, log, type } = this.#options
    try {
      await this.#store(delivery)
      settler.ack(delivery.reply)
    } catch (error) {
      if (error instanceof MeshError && error.disposition === 'terminal') return this.#bury(delivery, error)
      log.warn({ type, seq: delivery.deliveredSeq, err: error }, 'a due event was not stored; it comes again')
      settler.nak(delivery.reply, AGAIN_MS)
    }
  }

  async #store(delivery: Delivery): Promise<void> {
    const { names, type, clock, metrics } = this.#options
    const due = readDueEvent(names, type, delivery)
    const span = dueSpan(due, delivery.payload.length)
    const startedAt = performance.now()
    try {
      const ack = await this.#storeOnce(delivery, due, span.headers(undefined))
      span.end(ack)
      metrics.published(type, 'ok', performance.now() - startedAt)
      metrics.lateness(type, clock.estimate() - due.dueMs)
    } catch (error) {
      span.fail(error)
      metrics.published(type, 'error', performance.now() - startedAt)
      throw error
    }
  }

  /** Upholds F2. */
  async #storeOnce(delivery: Delivery, due: DueEvent, trace: HeaderPairs): Promise<PubAck> {
    const { nc, pipeline } = this.#options
    if (delivery.deliveryCount > 1) {
      const since = { subject: due.subject, id: due.id, from: delivery.source.publishedAt }
      const seq = await isStoredSince(nc, due.stream, since)
      if (seq !== undefined) return { stream: due.stream, seq, duplicate: true, resent: true }
    }
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
      log.error({ type, err: failed }, 'the dead letter of a due event was not stored; it comes again')
      settler.nak(delivery.reply, AGAIN_MS)
    }
  }
}

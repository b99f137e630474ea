/**
 * Answers one kind of request in one process, beside its other instances.
 *
 * D1  A request that was taken is answered, also in a drain: the subscription ends first, then what it brought.
 * D2  At most `concurrency` run and `waiting` wait; one more is told to come later, and is not begun.
 * D3  One whose time is over before its turn is not begun.
 */
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { faultsError } from '../errors.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { newId } from '../message/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { Names } from '../topology/names.ts'
import { answerOf, numbered, refusalAnswer } from './answer.ts'
import { AnswerSender } from './answer-sender.ts'
import type { ReplyDef } from './reply.ts'
import { ReplySession } from './reply-session.ts'
import { type Job, serve, type Served } from './serve.ts'
import { type Incoming, incoming, QUEUE_GROUP, REQUEST_HEADER, wholeNumber } from './wire.ts'

export type ResponderOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  log: Logger
  metrics: MeshMetrics
  service: string
  /** Of this process, as the micro protocol knows it. */
  instance: string
  /** Name of the reply in its service. */
  name: string
  def: ReplyDef
}

/** What the micro protocol tells of an endpoint. */
export type ReplyStats = { requests: number; errors: number; lastError: string; processingMs: number }

/** After the drain's time, what still runs is told to stop and has this long, ms. */
const LAST_WORDS_MS = 2000
const LEAST_RETRY_MS = 50
const MOST_RETRY_MS = 5000

export class Responder {
  readonly subject: string
  readonly stats: ReplyStats = { requests: 0, errors: 0, lastError: '', processingMs: 0 }
  readonly #options: ResponderOptions
  readonly #labels: { service: string; reply: string }
  readonly #sender: AnswerSender
  readonly #stopping = new AbortController()
  readonly #waiting: Job[] = []
  readonly #sessions = new Map<string, ReplySession>()
  readonly #subscriptions: Subscription[] = []
  readonly #idle: (() => void)[] = []
  #running = 0
  /** Runs whose time is over and whose function has not come back: each holds a slot. */
  #overdue = 0
  #refused: string | undefined

  constructor(options: ResponderOptions) {
    this.#options = options
    this.#labels = { service: options.service, reply: options.name }
    this.#sender = new AnswerSender({ ...options, labels: this.#labels })
    this.subject = options.names.request(options.def.contract.type)
  }

  get name(): string {
    return this.#options.name
  }

  get def(): ReplyDef {
    return this.#options.def
  }

  /** Subscribes. Whether the server allows it shows after the next flush: see {@link fault}. */
  start(): void {
    const { def } = this.#options
    this.#subscribe(this.subject, QUEUE_GROUP, (msg) => this.#onRequest(msg))
    if (def.contract.streaming) this.#subscribe(`${this.#control()}.*`, '', (msg) => this.#onControl(msg))
  }

  /** Why it does not answer; undefined when it does. */
  get fault(): string | undefined {
    const { name, def } = this.#options
    if (this.#refused !== undefined)
      return `reply ${name}: this user may not subscribe to ${this.#refused}; grant it to the service`
    if (this.#overdue * 2 >= def.concurrency)
      return `reply ${name}: ${this.#overdue} of ${def.concurrency} calls are over their time and do not come back`
    return undefined
  }

  /** Upholds D1. */
  async stop(drainMs: number): Promise<void> {
    const deadline = performance.now() + drainMs
    await within(this.#unsubscribed(), drainMs)
    await this.#untilIdle(deadline - performance.now())
    this.#stopping.abort(new Error('the service stops'))
    await this.#untilIdle(LAST_WORDS_MS)
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  /** Resolves when the server sends nothing more and what it sent is here. */
  async #unsubscribed(): Promise<void> {
    const [requests] = this.#subscriptions
    // Where the connection is away the client gives up with its next try to connect.
    await requests?.drain().catch(() => undefined)
    // What is not given up would be subscribed again when the connection is back.
    requests?.unsubscribe()
  }

  #subscribe(subject: string, queue: string, onMessage: (msg: Incoming) => void): void {
    const callback = (refused: Error | null, msg: Parameters<typeof incoming>[0]): void => {
      if (refused) {
        this.#refused = subject
        return
      }
      // What is thrown into the client ends its connection.
      try {
        onMessage(incoming(msg))
      } catch (error) {
        this.#options.log.error({ ...this.#labels, err: error }, 'a request could not be taken')
      }
    }
    this.#subscriptions.push(this.#options.nc.subscribe(subject, { callback, ...(queue === '' ? {} : { queue }) }))
  }

  #onRequest(request: Incoming): void {
    const { def, metrics, log } = this.#options
    this.stats.requests++
    if (request.reply === '') {
      this.#count('a request came without a reply subject')
      log.warn(this.#labels, 'a request came without a reply subject; nobody waits, so it was not begun')
      return
    }
    if (this.#running >= def.concurrency && this.#waiting.length >= def.waiting) this.#passLate()
    if (this.#running >= def.concurrency && this.#waiting.length >= def.waiting) {
      const said = `${def.concurrency} requests run here and ${def.waiting} wait`
      const refusal = { number: 429 as const, code: 'MESH_BUSY', said, retryAfterMs: this.#retryAfterMs() }
      this.#sender.send(request.reply, refusalAnswer(def.contract, refusal))
      this.#count(said)
      metrics.replied(this.#labels, 'busy', 0)
      return
    }
    this.#waiting.push(this.#jobOf(request))
    this.#pump()
  }

  #jobOf(request: Incoming): Job {
    const { def } = this.#options
    const asked = wholeNumber(request.headers[REQUEST_HEADER.timeout]) ?? def.timeoutMs
    const timeoutMs = Math.min(asked, def.timeoutMs)
    const expiresAt = performance.now() + timeoutMs
    const control = def.contract.streaming ? this.#sessionOf(request) : undefined
    return {
      request,
      timeoutMs,
      expiresAt,
      session: control?.session,
      send: (answer) => this.#sender.send(request.reply, answer, { control: control?.subject, expiresAt }),
      close: () => control?.close(),
    }
  }

  #sessionOf(request: Incoming): { session: ReplySession; subject: string; close: () => void } {
    const { contract } = this.#options.def
    const token = newId()
    const subject = `${this.#control()}.${token}`
    const session = new ReplySession(request, (kind, part) =>
      this.#sender.send(request.reply, numbered(answerOf(contract, kind), part), { control: subject }),
    )
    this.#sessions.set(token, session)
    const close = (): void => {
      session.close()
      this.#sessions.delete(token)
    }
    return { session, subject, close }
  }

  #onControl({ subject, payload, isNoResponder }: Incoming): void {
    const session = this.#sessions.get(subject.slice(subject.lastIndexOf('.') + 1))
    // Parts name this subject for answers, and the server answers for whoever is not there.
    if (isNoResponder) session?.onGone()
    else session?.onControl(new TextDecoder().decode(payload.subarray(0, 64)))
  }

  #control(): string {
    const { names, def, instance } = this.#options
    return names.requestControl(def.contract.type, instance)
  }

  #pump(): void {
    while (this.#running < this.#options.def.concurrency && this.#waiting.length > 0) {
      const job = this.#waiting.shift()!
      // Upholds D3.
      if (isWanted(job)) void this.#run(job)
      else this.#pass(job)
    }
    this.#tellIdle()
  }

  /** What nobody waits for any more takes no place. */
  #passLate(): void {
    for (const job of this.#waiting.splice(0))
      if (isWanted(job)) this.#waiting.push(job)
      else this.#pass(job)
  }

  #pass(job: Job): void {
    job.close()
    this.#count('its time was over before its turn')
    this.#options.metrics.replied(this.#labels, 'late', 0)
  }

  async #run(job: Job): Promise<void> {
    const { metrics } = this.#options
    metrics.replying(this.#labels, ++this.#running)
    const started = performance.now()
    const served = await serve({ ...this.#options, stopping: this.#stopping.signal }, job)
    const ms = performance.now() - started
    job.close()
    this.stats.processingMs += ms
    if (served.said !== '') this.#count(served.said)
    metrics.replied(this.#labels, served.outcome, ms, served.traceId)
    await this.#untilSettled(served)
    metrics.replying(this.#labels, --this.#running)
    this.#pump()
  }

  /** A function that was answered for and still runs keeps its slot: more of its kind would not help. */
  async #untilSettled({ settled, outcome }: Served): Promise<void> {
    const isOverdue = outcome === 'late' || outcome === 'cancelled' || this.#stopping.signal.aborted
    if (isOverdue) this.#overdue++
    this.#tellIdle()
    await settled
    if (isOverdue) this.#overdue--
  }

  #count(error: string): void {
    this.stats.errors++
    this.stats.lastError = error
  }

  /** A guess: when about half of those that wait will have had their turn. */
  #retryAfterMs(): number {
    const { requests, processingMs } = this.stats
    const meanMs = processingMs / Math.max(1, requests)
    const guess = (meanMs * this.#waiting.length) / this.#options.def.concurrency / 2
    return Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, guess))
  }

  /** Nothing is left to wait for: what is over its time was answered for already. */
  #isIdle(): boolean {
    const isStuck = this.#overdue >= this.#options.def.concurrency
    return this.#running === this.#overdue && (isStuck || this.#waiting.length === 0)
  }

  #tellIdle(): void {
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #untilIdle(ms: number): Promise<void> {
    if (this.#isIdle()) return
    await within(new Promise<void>((resolve) => this.#idle.push(resolve)), ms)
  }
}

/** Somebody still waits for it. */
const isWanted = ({ expiresAt, session }: Job): boolean =>
  performance.now() < expiresAt && session?.signal.aborted !== true

/** Resolves with `promise`, or after `ms`. */
async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, Math.max(0, ms))
  await Promise.race([promise, late])
  clearTimeout(timer)
}

/** @throws MeshError MESH_TOPOLOGY naming each subject this user may not subscribe to */
export function checkAllowed(service: string, responders: readonly Responder[]): void {
  const faults = responders.flatMap(({ fault }) => fault ?? [])
  if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service} cannot start`, faults)
}

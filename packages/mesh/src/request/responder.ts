/**
 * Answers one kind of request in one process, beside its other instances.
 *
 * D1  A request that was taken is answered, also in a drain: the subscription ends first, then what it brought.
 * D2  At most `concurrency` run and `waiting` wait; one more is told to come later, and is not begun.
 * D3  One whose time is over before its turn is not begun, and whoever still waits for it is told so.
 * D4  A function that does not come back keeps its slot. 10 s past its time it counts as lost, and with half of the slots
 *     lost the process can do no more, as with handlers.
 */
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { faultsError, MeshError } from '../errors.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { newId } from '../message/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { Names } from '../topology/names.ts'
import { answerOf, numbered, refusalAnswer } from './answer.ts'
import { AnswerSender } from './answer-sender.ts'
import { MOST_TIMEOUT_MS, type ReplyDef } from './reply.ts'
import { ReplySession } from './reply-session.ts'
import { type Job, serve, type Served } from './serve.ts'
import { UnreturnedCalls } from './unreturned-calls.ts'
import { WaitingLine } from './waiting-line.ts'
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
  /** This process can do no more for the reply. */
  onFatal: (error: Error) => void
  /** @default 10 000 */
  leakAfterMs?: number
}

/** What the micro protocol tells of an endpoint. */
export type ReplyStats = { requests: number; errors: number; lastError: string; processingMs: number }

/** After the drain's time, what still runs is told to stop and has this long, ms. */
const LAST_WORDS_MS = 2000
const LEAK_AFTER_MS = 10_000
const LEAST_RETRY_MS = 50
const MOST_RETRY_MS = 5000
const STOPS = 'this instance stops'

export class Responder {
  readonly subject: string
  readonly stats: ReplyStats = { requests: 0, errors: 0, lastError: '', processingMs: 0 }
  readonly #options: ResponderOptions
  readonly #labels: { service: string; reply: string }
  readonly #sender: AnswerSender
  readonly #stopping = new AbortController()
  readonly #waiting = new WaitingLine((job) => this.#pass(job))
  readonly #sessions = new Map<string, ReplySession>()
  readonly #subscriptions: Subscription[] = []
  readonly #idle: (() => void)[] = []
  #running = 0
  readonly #unreturned: UnreturnedCalls
  #refused: string | undefined

  constructor(options: ResponderOptions) {
    this.#options = options
    this.#labels = { service: options.service, reply: options.name }
    const { leakAfterMs = LEAK_AFTER_MS } = options
    this.#unreturned = new UnreturnedCalls(leakAfterMs, (leaked, change) => this.#onLeaked(leaked, change))
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
    const { overdue } = this.#unreturned
    if (overdue * 2 >= def.concurrency)
      return `reply ${name}: ${overdue} of ${def.concurrency} calls are over their time and do not come back`
    return undefined
  }

  /** Upholds D1. */
  async stop(drainMs: number): Promise<void> {
    const deadline = performance.now() + drainMs
    await within(this.#unsubscribed(), drainMs)
    await this.#untilIdle(deadline - performance.now())
    this.#stopping.abort(new Error('the service stops'))
    this.#waiting.passAll()
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
    const { def, log } = this.#options
    this.stats.requests++
    if (request.reply === '') {
      this.#count('a request came without a reply subject')
      log.warn(this.#labels, 'a request came without a reply subject; nobody waits, so it was not begun')
      return
    }
    if (this.#stopping.signal.aborted)
      return this.#turnAway((answer) => this.#sender.send(request.reply, answer), STOPS)
    if (this.#running >= def.concurrency && this.#waiting.length >= def.waiting)
      return this.#turnAway(
        (answer) => this.#sender.send(request.reply, answer),
        `${def.concurrency} requests run here and ${def.waiting} wait`,
      )
    const job = this.#jobOf(request)
    if (job.timeoutMs === 0) this.#pass(job)
    else if (this.#running < def.concurrency) void this.#run(job)
    else this.#waiting.add(job)
  }

  /** Says that it was not begun, and when to come again. */
  #turnAway(send: Job['send'], said: string): void {
    const { def, metrics } = this.#options
    send(refusalAnswer(def.contract, { number: 429, code: 'MESH_BUSY', said, retryAfterMs: this.#retryAfterMs() }))
    this.#count(said)
    metrics.replied(this.#labels, 'busy', 0)
  }

  #jobOf(request: Incoming): Job {
    const { def } = this.#options
    // Whoever does not say how long it waits is told to the last.
    const asked = Math.min(wholeNumber(request.headers[REQUEST_HEADER.timeout]) ?? Infinity, MOST_TIMEOUT_MS)
    const timeoutMs = Math.min(asked, def.timeoutMs)
    const now = performance.now()
    const waitsUntil = now + asked
    const control = def.contract.streaming ? this.#sessionOf(request) : undefined
    return {
      request,
      timeoutMs,
      expiresAt: now + timeoutMs,
      waitsUntil,
      session: control?.session,
      send: (answer) => this.#sender.send(request.reply, answer, { control: control?.subject, expiresAt: waitsUntil }),
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
    const job = this.#stopping.signal.aborted ? undefined : this.#waiting.take()
    if (job) void this.#run(job)
    this.#tellIdle()
  }

  /** Upholds D3. */
  #pass(job: Job): void {
    const isGone = job.session?.signal.aborted === true || performance.now() >= job.waitsUntil
    if (!isGone) this.#turnAway(job.send, this.#stopping.signal.aborted ? STOPS : 'its turn did not come in time')
    else {
      this.#count('its time was over before its turn')
      this.#options.metrics.replied(this.#labels, 'late', 0)
    }
    job.close()
    this.#tellIdle()
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
    await this.#untilSettled(served, started + this.#options.def.timeoutMs)
    metrics.replying(this.#labels, --this.#running)
    this.#pump()
  }

  /** Upholds D4. */
  async #untilSettled({ settled, outcome }: Served, endsAt: number): Promise<void> {
    const call = this.#unreturned.begin(endsAt)
    // Any other is back, or about to be.
    if (outcome === 'late' || outcome === 'cancelled' || this.#stopping.signal.aborted) call.markHeld()
    this.#tellIdle()
    await settled
    call.returned()
  }

  #onLeaked(leaked: number, change: 1 | -1): void {
    const { metrics, def, name, service, onFatal } = this.#options
    metrics.leakedReplies(this.#labels, leaked)
    this.#tellIdle()
    if (change < 0 || leaked * 2 < def.concurrency || this.#stopping.signal.aborted) return
    const detail = `reply ${name} of ${service} lost ${leaked} of ${def.concurrency} slots to calls that never return`
    onFatal(new MeshError('MESH_HANDLER_LEAKED', `${detail}; make it honour ctx.signal`))
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
    const isStuck = this.#unreturned.held >= this.#options.def.concurrency
    return this.#running === this.#unreturned.held && (isStuck || this.#waiting.length === 0)
  }

  #tellIdle(): void {
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #untilIdle(ms: number): Promise<void> {
    if (this.#isIdle()) return
    await within(new Promise<void>((resolve) => this.#idle.push(resolve)), ms)
  }
}

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

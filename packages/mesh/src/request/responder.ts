/**
 * Answers one kind of request in one process, beside its other instances.
 *
 * D1  A request that was taken is answered, also in a drain: the subscription ends first, then what it brought.
 * D2  At most `concurrency` run and `waiting` wait; one more is told to come later, and is not begun.
 * D3  One whose time is over before its turn is not begun, and whoever still waits for it is told so.
 * D4  A function that does not come back keeps its slot. 10 s past its time it counts as lost, and with half of the slots
 *     lost the process can do no more, as with handlers.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { Names } from '../topology/names.ts'
import { refusalAnswer } from './answer.ts'
import { AnswerSender } from './answer-sender.ts'
import { IdleWatch } from './idle-watch.ts'
import { type Job, jobOf } from './job.ts'
import type { ReplyDef } from './reply.ts'
import { ReplySessions } from './reply-sessions.ts'
import { countError, noStats, type ReplyStats, retryAfterMs } from './reply-stats.ts'
import { ReplySubscriptions } from './reply-subscriptions.ts'
import { serve, type Served } from './serve.ts'
import { UnreturnedCalls } from './unreturned-calls.ts'
import { WaitingLine } from './waiting-line.ts'
import type { Incoming } from './wire.ts'

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

/** After the drain's time, what still runs is told to stop and has this long, ms. */
const LAST_WORDS_MS = 2000
const LEAK_AFTER_MS = 10_000
const STOPS = 'this instance stops'

export class Responder {
  readonly subject: string
  readonly stats: ReplyStats = noStats()
  readonly #options: ResponderOptions
  readonly #labels: { service: string; reply: string }
  readonly #sender: AnswerSender
  readonly #stopping = new AbortController()
  readonly #waiting = new WaitingLine((job) => this.#pass(job))
  readonly #sessions: ReplySessions
  readonly #subscriptions: ReplySubscriptions
  readonly #idle = new IdleWatch(() => this.#isIdle())
  #running = 0
  readonly #unreturned: UnreturnedCalls

  constructor(options: ResponderOptions) {
    const { names, def, instance, leakAfterMs = LEAK_AFTER_MS } = options
    const { contract } = def
    this.#options = options
    this.#labels = { service: options.service, reply: options.name }
    this.#unreturned = new UnreturnedCalls(leakAfterMs, (leaked, change) => this.#onLeaked(leaked, change))
    this.#sender = new AnswerSender({ ...options, labels: this.#labels })
    const control = names.requestControl(contract.type, instance)
    this.#sessions = new ReplySessions({ contract, control, sender: this.#sender })
    this.#subscriptions = new ReplySubscriptions({ ...options, labels: this.#labels })
    this.subject = names.request(contract.type)
  }

  get name(): string {
    return this.#options.name
  }

  get def(): ReplyDef {
    return this.#options.def
  }

  /** Subscribes. Whether the server allows it shows after the next flush: see {@link fault}. */
  start(): void {
    this.#subscriptions.takeRequests(this.subject, (msg) => this.#onRequest(msg))
    if (this.def.contract.streaming)
      this.#subscriptions.takeControls(this.#sessions.subject, (msg) => this.#sessions.onControl(msg))
  }

  /** Why it does not answer; undefined when it does. */
  get fault(): string | undefined {
    const { name, def } = this.#options
    const { refused } = this.#subscriptions
    if (refused !== undefined)
      return `reply ${name}: this user may not subscribe to ${refused}; grant it to the service`
    const { overdue } = this.#unreturned
    if (overdue * 2 >= def.concurrency)
      return `reply ${name}: ${overdue} of ${def.concurrency} calls are over their time and do not come back`
    return undefined
  }

  /** Upholds D1. */
  async stop(drainMs: number): Promise<void> {
    const deadline = performance.now() + drainMs
    await this.#subscriptions.drainRequests(drainMs)
    await this.#idle.untilIdle(deadline - performance.now())
    this.#stopping.abort(new Error('the service stops'))
    this.#waiting.passAll()
    await this.#idle.untilIdle(LAST_WORDS_MS)
    this.#subscriptions.end()
  }

  #onRequest(request: Incoming): void {
    const { def, log } = this.#options
    this.stats.requests++
    if (request.reply === '') {
      countError(this.stats, 'a request came without a reply subject')
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
    const job = jobOf({ def, sender: this.#sender, sessions: this.#sessions }, request)
    if (job.timeoutMs === 0) this.#pass(job)
    else if (this.#running < def.concurrency) void this.#run(job)
    else this.#waiting.add(job)
  }

  /** Says that it was not begun, and when to come again. */
  #turnAway(send: Job['send'], said: string): void {
    const { def, metrics } = this.#options
    const soonMs = retryAfterMs(this.stats, { waiting: this.#waiting.length, concurrency: def.concurrency })
    send(refusalAnswer(def.contract, { number: 429, code: 'MESH_BUSY', said, retryAfterMs: soonMs }))
    countError(this.stats, said)
    metrics.replied(this.#labels, 'busy', 0)
  }

  #pump(): void {
    const job = this.#stopping.signal.aborted ? undefined : this.#waiting.take()
    if (job) void this.#run(job)
    this.#idle.look()
  }

  /** Upholds D3. */
  #pass(job: Job): void {
    const isGone = job.session?.signal.aborted === true || performance.now() >= job.waitsUntil
    if (!isGone) this.#turnAway(job.send, this.#stopping.signal.aborted ? STOPS : 'its turn did not come in time')
    else {
      countError(this.stats, 'its time was over before its turn')
      this.#options.metrics.replied(this.#labels, 'late', 0)
    }
    job.close()
    this.#idle.look()
  }

  async #run(job: Job): Promise<void> {
    const { metrics } = this.#options
    metrics.replying(this.#labels, ++this.#running)
    const started = performance.now()
    const served = await serve({ ...this.#options, stopping: this.#stopping.signal }, job)
    const ms = performance.now() - started
    job.close()
    this.stats.processingMs += ms
    if (served.said !== '') countError(this.stats, served.said)
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
    this.#idle.look()
    await settled
    call.returned()
  }

  #onLeaked(leaked: number, change: 1 | -1): void {
    const { metrics, def, name, service, onFatal } = this.#options
    metrics.leakedReplies(this.#labels, leaked)
    this.#idle.look()
    if (change < 0 || leaked * 2 < def.concurrency || this.#stopping.signal.aborted) return
    const detail = `reply ${name} of ${service} lost ${leaked} of ${def.concurrency} slots to calls that never return`
    onFatal(new MeshError('MESH_HANDLER_LEAKED', `${detail}; make it honour ctx.signal`))
  }

  /** Nothing is left to wait for: what is over its time was answered for already. */
  #isIdle(): boolean {
    const isStuck = this.#unreturned.held >= this.#options.def.concurrency
    return this.#running === this.#unreturned.held && (isStuck || this.#waiting.length === 0)
  }
}

/**
 * Publishes over the core protocol with one reply inbox for all, instead of a request each.
 *
 * P1  A publish is resolved only by a PubAck.
 * P2  Every resend carries the same headers, and so the same Nats-Msg-Id. (Only the id of an atomic batch is a new one.)
 * P3  At most `window` are on the wire; the rest wait their turn in order. One that is asked to come again waits beside
 *     them: a stream without a leader must not hold up the others.
 * P4  What was on the wire when the connection broke is sent again: the client drops its buffer when it dials.
 * P5  Each ends within its own `timeoutMs`, and nothing leaves this process after that: one that was stopped meanwhile would
 *     publish what the stream has forgotten the id of.
 * P6  It is said of none that it was not stored, unless every send of it was answered so.
 */
import { createInbox, type Msg, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { canWrite, type CommandWriter, commandWriter } from '../lifecycle/command-writer.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { HeaderBlock, headerLines, type HeaderPairs } from '../message/headers.ts'
import { type BatchMember, writeBatch } from './atomic-batch.ts'
import { Fifo } from './fifo.ts'
import { type Again, type PubAck, ReplyReader } from './pub-ack.ts'
import { closedError, refusedError, type Sent, timeoutError, wasResent } from './pipeline-errors.ts'
import { publishFrame } from './publish-frame.ts'

export type PipelineOptions = {
  /** @default '_INBOX' */
  inboxPrefix?: string
  /** Publishes on the wire at once. @default 1024 */
  window?: number
  /** Silence after which one is sent again, ms. @default 5000 */
  resendMs?: number
}

export type PublishRequest = {
  subject: string
  payload: Uint8Array
  timeoutMs: number
  /** Ends with MESH_NO_STREAM at the first answer that nobody stores it now, instead of asking again. @default false */
  hasty?: boolean
} & (Single | Batch)

type Single = { headers: HeaderPairs | HeaderBlock; before?: undefined }
type Batch = {
  headers: HeaderPairs
  /** What is stored together with it, all or nothing, right before it and in this order. All of one stream. */
  before: readonly BatchMember[]
}

type Pending = Sent & {
  request: PublishRequest
  /** None of a batch, whose headers are others with each send. */
  block: HeaderBlock | undefined
  deadline: number
  sentAt: number
  /** When to send again, of one that is parked. */
  againAt: number
  resolve: (ack: PubAck) => void
  reject: (error: Error) => void
}

const AGAIN_MS = 250
/** Three servers decide on a message within some ms; what waits for that asks again so soon at first. */
const UNDECIDED_MS = 10
const SWEEP_MS = 100
const UNFIT_SUBJECT = /^$|\s/

export class PublishPipeline {
  readonly #nc: NatsConnection
  readonly #connection: ConnectionWatch
  readonly #writer: CommandWriter | undefined
  /** Where answers arrive, but for the last token of each. */
  readonly #inbox: string
  readonly #window: number
  readonly #resendMs: number
  readonly #onWire = new Map<string, Pending>()
  readonly #waiting = new Fifo<Pending>()
  readonly #parked = new Set<Pending>()
  readonly #replies = new ReplyReader()
  #counter = 0
  #closed = false
  #sweep: NodeJS.Timeout | undefined
  #soon: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []

  constructor(nc: NatsConnection, connection: ConnectionWatch, options: PipelineOptions = {}) {
    this.#nc = nc
    this.#connection = connection
    this.#writer = commandWriter(nc)
    this.#inbox = `${createInbox(options.inboxPrefix)}.`
    this.#window = options.window ?? 1024
    this.#resendMs = options.resendMs ?? 5000
    nc.subscribe(`${this.#inbox}*`, { callback: (error, msg) => this.#guarded(error, msg) })
    connection.listen({ up: () => this.#onReconnect(), error: (error) => this.#onError(error) })
  }

  /**
   * @throws MeshError MESH_PUBLISH_TIMEOUT | MESH_NO_STREAM | MESH_STREAM_FULL | MESH_PUBLISH_REFUSED | MESH_CLOSED
   */
  publish(request: PublishRequest): Promise<PubAck> {
    if (this.#closed) return Promise.reject(closedError(request.subject))
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        request,
        block: blockOf(request),
        deadline: performance.now() + request.timeoutMs,
        sentAt: 0,
        sends: 0,
        turnedAway: 0,
        conflicts: 0,
        againAt: 0,
        lastAnswer: '',
        resolve,
        reject,
      }
      this.#sweep ??= setInterval(() => this.#onSweep(), SWEEP_MS)
      if (this.#waiting.size === 0 && this.#hasRoom()) this.#put(pending)
      else this.#waiting.push(pending)
      this.#pump()
    })
  }

  /** Publishes whose answer is still out. */
  get pending(): number {
    return this.#onWire.size + this.#waiting.size + this.#parked.size
  }

  /** Takes nothing new; resolves when all are answered or timed out. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.pending > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #pump(): void {
    while (this.#waiting.size > 0 && this.#hasRoom()) this.#put(this.#waiting.shift()!)
    if (this.pending === 0) this.#rest()
  }

  #hasRoom(): boolean {
    return this.#onWire.size < this.#window && this.#connection.isUp()
  }

  #put(pending: Pending): void {
    const token = (this.#counter++).toString(36)
    this.#onWire.set(token, pending)
    this.#send(token, pending)
  }

  /** Upholds P5: what is late here was not swept yet. */
  #send(token: string, pending: Pending): void {
    const now = performance.now()
    if (now >= pending.deadline) {
      this.#onWire.delete(token)
      pending.reject(timeoutError(pending, this.#connection.isUp()))
      return
    }
    pending.sends++
    pending.sentAt = now
    try {
      const { request } = pending
      const reply = this.#inbox + token
      if (request.before) writeBatch(this.#nc, [...request.before, request], reply)
      else this.#write(request, pending.block!, reply)
    } catch (cause) {
      this.#onWire.delete(token)
      pending.reject(
        this.#nc.isClosed()
          ? closedError(pending.request.subject, cause)
          : refusedError(pending, { errCode: 0, description: String(cause) }),
      )
    }
  }

  /** Where the client would refuse, it is left to say so. */
  #write({ subject, payload }: PublishRequest, block: HeaderBlock, reply: string): void {
    const bytes = block.length + payload.length
    const isFit = bytes <= (this.#nc.info?.max_payload ?? 0) && !UNFIT_SUBJECT.test(subject) && canWrite(this.#nc)
    if (!isFit || !this.#writer) {
      this.#nc.publish(subject, payload, { reply, headers: block as never })
      return
    }
    this.#writer(1, publishFrame({ subject, reply, block, payload }))
  }

  /** What is thrown into the client ends its connection. An answer that cannot be read is asked for again. */
  #guarded(refused: Error | null, msg: Msg): void {
    try {
      if (!refused) this.#onReply(msg)
    } catch {
      const pending = this.#onWire.get(msg.subject.slice(this.#inbox.length))
      if (pending) pending.lastAnswer = 'an answer came that cannot be read'
    }
  }

  #onReply(msg: Msg): void {
    const token = msg.subject.slice(this.#inbox.length)
    const pending = this.#onWire.get(token)
    if (!pending) return
    const reply = this.#replies.read(msg)
    this.#onWire.delete(token)
    if (reply.kind === 'again') {
      pending.lastAnswer = reply.why
      if (reply.because !== 'undecided') pending.turnedAway++
      if (reply.because === 'conflict') pending.conflicts++
      if (reply.because === 'nobody' && pending.request.hasty) pending.reject(timeoutError(pending, true))
      else this.#park(pending, reply.because)
      this.#pump()
      return
    }
    if (reply.kind === 'stored') {
      const { stream, seq, duplicate } = reply
      pending.resolve({ stream, seq, duplicate, resent: wasResent(pending) })
    } else pending.reject(refusedError(pending, reply))
    this.#pump()
  }

  #park(pending: Pending, because: Again): void {
    const waitMs = because === 'nobody' ? AGAIN_MS : Math.min(AGAIN_MS, UNDECIDED_MS * 2 ** (pending.sends - 1))
    pending.againAt = performance.now() + waitMs
    this.#parked.add(pending)
    if (waitMs < SWEEP_MS) this.#lookSoon()
  }

  /** One timer for all that are due before the next sweep: a look goes through all that are parked. */
  #lookSoon(): void {
    if (this.#soon) return
    this.#soon = setTimeout(() => {
      this.#soon = undefined
      this.#unpark()
      this.#pump()
    }, UNDECIDED_MS + 1)
  }

  #unpark(): void {
    const now = performance.now()
    const isUp = this.#connection.isUp()
    for (const pending of this.#parked) {
      if (now < pending.againAt && now < pending.deadline) {
        if (pending.againAt - now < SWEEP_MS) this.#lookSoon()
        continue
      }
      this.#parked.delete(pending)
      if (now < pending.deadline) this.#waiting.push(pending)
      else pending.reject(timeoutError(pending, isUp))
    }
  }

  #onSweep(): void {
    const now = performance.now()
    const isUp = this.#connection.isUp()
    for (const [token, pending] of this.#onWire) {
      if (now >= pending.deadline) {
        this.#onWire.delete(token)
        pending.reject(timeoutError(pending, isUp))
      } else if (isUp && now - pending.sentAt >= this.#resendMs) {
        this.#send(token, pending)
      }
    }
    this.#unpark()
    for (const pending of this.#waiting.takeAll(({ deadline }) => now >= deadline))
      pending.reject(timeoutError(pending, isUp))
    this.#pump()
  }

  #rest(): void {
    clearInterval(this.#sweep)
    this.#sweep = undefined
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Upholds P4. */
  #onReconnect(): void {
    for (const [token, pending] of this.#onWire) this.#send(token, pending)
    this.#pump()
  }

  /** A publish without permission has no answer; the server only says so on the connection. */
  #onError(error: Error): void {
    if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') return
    for (const [token, pending] of this.#onWire) {
      if (!goesTo(pending.request, error.subject)) continue
      this.#onWire.delete(token)
      pending.reject(
        refusedError(pending, {
          errCode: 0,
          description: 'this user may not publish there; grant it to the service',
        }),
      )
    }
    this.#pump()
  }
}

const blockOf = ({ headers, before }: PublishRequest): HeaderBlock | undefined => {
  if (before) return undefined
  return headers instanceof HeaderBlock ? headers : new HeaderBlock(headerLines(headers))
}

const goesTo = ({ subject, before = [] }: PublishRequest, where: string): boolean =>
  subject === where || before.some((member) => member.subject === where)

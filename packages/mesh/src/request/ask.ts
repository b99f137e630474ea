/**
 * One question and its one answer.
 *
 * Q1  It ends within `timeoutMs`, which runs from the call: waiting for the connection is part of it.
 * Q2  What may have been begun is sent again only where the contract says that this does no harm.
 * Q3  A refusal to begin (nobody there, busy) may be followed by another try: the request was not begun.
 */
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { Busy, MeshError } from '../errors.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { HeaderBlock, headerLines, type HeaderPairs } from '../message/headers.ts'
import type { ReplyInbox } from './reply-inbox.ts'
import { isRefusal, retryAfterOf } from './read-answer.ts'
import { type Incoming, REQUEST_HEADER } from './wire.ts'

export type AskDeps = {
  nc: NatsConnection
  connection: ConnectionWatch
  inbox: Pick<ReplyInbox, 'open'>
}

export type Question = {
  type: string
  /** With the namespace. */
  subject: string
  payload: Uint8Array
  headers: HeaderPairs
  timeoutMs: number
  idempotent: boolean
  waitForResponder: boolean
  signal: AbortSignal
  /** No word for so long after it was sent means that its responder is gone, ms. @default `timeoutMs` */
  silenceMs?: number
}

const FIRST_WAIT_MS = 100
const MOST_WAIT_MS = 1000
/** With less left a try could not be told from one that was begun: its refusal would come too late. */
const LEAST_LEFT_MS = 100

/**
 * Asks and waits for an answer, which may be an error.
 * @throws MeshError MESH_NO_RESPONDER | MESH_REQUEST_TIMEOUT | MESH_REQUEST_FAILED (not allowed) | MESH_CLOSED; the reason of `signal`
 */
export function ask(deps: AskDeps, question: Question): Promise<Incoming> {
  const asking = new Asking(deps, question)
  return asking.answer
}

class Asking {
  readonly answer: Promise<Incoming>
  readonly #deps: AskDeps
  readonly #question: Question
  readonly #settle: PromiseWithResolvers<Incoming> = Promise.withResolvers()
  readonly #cleanUp: (() => void)[] = []
  readonly #endsAt: number
  readonly #replyTo: string
  #isSent = false
  /** Sent, and not refused since: each of these may have been begun. */
  #unrefused = 0
  #refusals = 0
  #lastRefusal: Incoming | undefined
  #isBroken = false
  #silence: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined

  constructor(deps: AskDeps, question: Question) {
    this.#deps = deps
    this.#question = question
    this.#endsAt = performance.now() + question.timeoutMs
    this.answer = this.#settle.promise.finally(() => this.#cleanUp.forEach((clean) => clean()))
    const box = deps.inbox.open((answer) => this.#onAnswer(answer))
    this.#replyTo = box.subject
    const timer = setTimeout(() => this.#settle.reject(this.#tooLate()), question.timeoutMs)
    const { signal } = question
    const onAbort = (): void => this.#settle.reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#cleanUp.push(
      () => box.close(),
      () => clearTimeout(timer),
      () => clearTimeout(this.#silence),
      () => clearTimeout(this.#again),
      () => signal.removeEventListener('abort', onAbort),
      deps.connection.listen({
        up: () => this.#onUp(),
        down: () => (this.#isBroken ||= this.#unrefused > 0),
        error: (error) => this.#onError(error),
      }),
    )
    if (signal.aborted) onAbort()
    else this.#send()
  }

  /** While the connection is away, its coming back sends. */
  #send(): void {
    const { nc, connection } = this.#deps
    const { subject, payload, headers } = this.#question
    if (nc.isClosed()) this.#settle.reject(closedError(this.#question))
    if (!connection.isUp()) return
    const left = String(Math.max(1, Math.round(this.#endsAt - performance.now())))
    const block = new HeaderBlock(headerLines([...headers, [REQUEST_HEADER.timeout, left]]))
    try {
      nc.publish(subject, payload, { reply: this.#replyTo, headers: block as never })
      this.#isSent = true
      this.#unrefused++
      this.#listen()
    } catch (cause) {
      this.#settle.reject(closedError(this.#question, cause))
    }
  }

  #listen(): void {
    const { silenceMs } = this.#question
    clearTimeout(this.#silence)
    if (silenceMs !== undefined) this.#silence = setTimeout(() => this.#settle.reject(this.#tooLate()), silenceMs)
  }

  #onAnswer(answer: Incoming): void {
    // After a break of the connection its responders come back one by one as well.
    const mayWait = this.#question.waitForResponder || (this.#isBroken && this.#question.idempotent)
    if (isRefusal(answer) && mayWait) this.#askAgain(answer)
    else if (answer.isNoResponder) this.#settle.reject(noResponder(this.#question))
    else this.#settle.resolve(answer)
  }

  /** Upholds Q3. */
  #askAgain(refusal: Incoming): void {
    this.#lastRefusal = refusal
    this.#unrefused = Math.max(0, this.#unrefused - 1)
    clearTimeout(this.#silence)
    const grown = Math.min(FIRST_WAIT_MS * 2 ** this.#refusals++, MOST_WAIT_MS)
    const waitMs = Math.max(grown, retryAfterOf(refusal)) * (0.75 + Math.random() / 2)
    if (performance.now() + waitMs >= this.#endsAt - LEAST_LEFT_MS) return
    clearTimeout(this.#again)
    this.#again = setTimeout(() => {
      this.#again = undefined
      this.#send()
    }, waitMs)
  }

  /** Upholds Q2. What waits for its next try is sent then. */
  #onUp(): void {
    if (this.#again === undefined && (this.#unrefused === 0 || this.#question.idempotent)) this.#send()
  }

  /** What the user may not do has no answer; the server only says so on the connection. */
  #onError(error: Error): void {
    if (!(error instanceof PermissionViolationError)) return
    const { type, subject } = this.#question
    if (error.operation === 'publish' && error.subject === subject)
      this.#fail(`${type} was not asked: this user may not publish on ${subject}; grant it`)
    else if (error.operation === 'subscription' && isUnder(error.subject, this.#replyTo))
      this.#fail(
        `${type}: its answer cannot be received, as this user may not subscribe to ${error.subject}; it may or may not ` +
          `have been done. Grant what lies under inboxPrefix`,
      )
  }

  #fail(why: string): void {
    this.#settle.reject(new MeshError('MESH_REQUEST_FAILED', why))
  }

  #tooLate(): MeshError {
    const { type, timeoutMs: allMs, silenceMs = allMs } = this.#question
    const timeoutMs = Math.min(allMs, silenceMs)
    if (!this.#isSent)
      return new MeshError(
        'MESH_REQUEST_TIMEOUT',
        `${type} was not sent: NATS was away for all of ${allMs} ms. Nobody was asked; ask again`,
      )
    if (this.#lastRefusal && this.#unrefused === 0)
      return this.#lastRefusal.isNoResponder
        ? noResponder(this.#question)
        : new Busy(retryAfterOf(this.#lastRefusal), `${type} was not begun: responders were busy for ${allMs} ms`)
    const why = this.#isBroken ? 'the connection broke after it was sent, and no answer came' : 'no answer came'
    return new MeshError(
      'MESH_REQUEST_TIMEOUT',
      `${type}: ${why} within ${timeoutMs} ms; it may or may not have been done`,
    )
  }
}

/** Of a reply subject `<inbox>.<token>`, whether it is one of `<inbox>.*`. */
const isUnder = (inbox: string, replyTo: string): boolean => inbox === replyTo.replace(/[^.]+$/, '*')

/** Nobody subscribes to the subject: the server says so at once. */
export function noResponder({ type, subject, timeoutMs, waitForResponder }: Question): MeshError {
  const within = waitForResponder ? ` within ${timeoutMs} ms` : ''
  return new MeshError(
    'MESH_NO_RESPONDER',
    `${type}: nobody answers it${within}. Start the service that replies to it; it listens on ${subject}`,
  )
}

export function closedError({ type }: Pick<Question, 'type'>, cause?: unknown): MeshError {
  return new MeshError('MESH_CLOSED', `${type} was not asked: the mesh is closed`, { cause })
}

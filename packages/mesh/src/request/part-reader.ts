/**
 * The requester's side of one stream of replies. Its counterpart is reply-session.ts.
 *
 * T1  Every part in order and then the end, or an error: never a short answer that looks whole.
 * T2  At most `window` parts wait here.
 * T3  When the last part is here, or it failed, it holds nothing any more: also a stream that nobody reads on, which ends
 *     at its deadline.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { Silence } from './silence.ts'
import type { Box, ReplyInbox } from './reply-inbox.ts'
import { isRefusal } from './read-answer.ts'
import { type Incoming, kindOf, REQUEST_HEADER, wholeNumber } from './wire.ts'

export type PartReaderDeps = { nc: NatsConnection; inbox: Pick<ReplyInbox, 'open'> }

export type PartReaderOptions = {
  type: string
  window: number
  idleMs: number
  timeoutMs: number
  signal: AbortSignal
  /** Nothing more will come. May be called more than once. */
  onEnd: () => void
}

type State = { kind: 'open' } | { kind: 'ended' } | { kind: 'failed'; error: unknown }

export class PartReader {
  readonly #deps: PartReaderDeps
  readonly #options: PartReaderOptions
  readonly #parts: Incoming[] = []
  readonly #silence: Silence
  readonly #deadline: NodeJS.Timeout
  readonly #onAbort: () => void
  #box: Box | undefined
  #state: State = { kind: 'open' }
  /** Where the responder listens; known from its first word. */
  #control = ''
  #received = 0
  #taken = 0
  #granted: number
  #wake: (() => void) | undefined

  constructor(deps: PartReaderDeps, options: PartReaderOptions) {
    this.#deps = deps
    this.#options = options
    this.#granted = options.window
    this.#silence = new Silence(options.idleMs, () => this.#onBeat())
    this.#deadline = setTimeout(() => this.#fail(tooLate(options)), options.timeoutMs)
    this.#onAbort = () => this.#fail(options.signal.reason)
    options.signal.addEventListener('abort', this.#onAbort)
  }

  /** An inbox whose first answer decides whether there is a stream. What was not begun may be asked again, and is none yet. */
  open(onFirst: (answer: Incoming) => void): Box {
    this.#box = this.#deps.inbox.open((answer) => {
      if (this.#control !== '' || !isRefusal(answer)) this.#onAnswer(answer)
      onFirst(answer)
    })
    return { subject: this.#box.subject, close: () => undefined }
  }

  /** The next part, or an error of the responder; undefined after the last. @throws what ended the stream early */
  async next(): Promise<Incoming | undefined> {
    for (;;) {
      this.#options.signal.throwIfAborted()
      const part = this.#parts.shift()
      if (part) {
        this.#taken++
        if (this.#granted - this.#taken <= this.#options.window / 2) this.#grant(this.#taken + this.#options.window)
        return part
      }
      const state = this.#state
      if (state.kind === 'failed') throw state.error
      if (state.kind === 'ended') return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Tells the responder to stop, unless it came to its end. */
  close(): void {
    if (this.#state.kind !== 'open') return
    this.#tell('stop')
    this.#end({ kind: 'ended' })
  }

  /** Upholds T1: what is said names the number of the last part. */
  #onAnswer(answer: Incoming): void {
    const kind = kindOf(answer)
    if (this.#state.kind !== 'open') return
    if (answer.isNoResponder) this.#fail(this.#broken('its responder is gone'))
    if (kind === 'value') return
    this.#silence.heard()
    if (answer.reply !== '') this.#control = answer.reply
    if (kind === 'error') {
      this.#received++
      this.#parts.push(answer)
      this.#end({ kind: 'ended' })
      return
    }
    const number = wholeNumber(answer.headers[REQUEST_HEADER.part]) ?? -1
    const expected = kind === 'part' ? this.#received + 1 : this.#received
    if (number !== expected) this.#fail(this.#broken(`part ${this.#received + 1} is missing`))
    else if (number > this.#granted) this.#fail(this.#broken('its responder sends more parts than it may'))
    else if (kind === 'end') this.#end({ kind: 'ended' })
    else if (kind === 'part') {
      this.#received++
      this.#parts.push(answer)
      this.#wake?.()
    }
  }

  /** Says again how much is taken, which also says that somebody waits, and makes good for what was lost. */
  #onBeat(): void {
    if (this.#control === '' || this.#state.kind !== 'open') return
    if (this.#silence.isOver) this.#fail(this.#broken(`its responder has been silent for ${this.#options.idleMs} ms`))
    else this.#grant(this.#granted)
  }

  /** Upholds T2. */
  #grant(upTo: number): void {
    this.#granted = upTo
    if (this.#state.kind === 'open') this.#tell(`more ${upTo}`)
  }

  #tell(what: string): void {
    const { nc } = this.#deps
    if (this.#control === '' || nc.isClosed() || nc.isDraining()) return
    // The server answers for a responder that is not there any more.
    nc.publish(this.#control, what, this.#box ? { reply: this.#box.subject } : {})
  }

  #broken(why: string): MeshError {
    const { type } = this.#options
    return new MeshError(
      'MESH_REPLY_BROKEN',
      `${type}: ${why}, after ${this.#received} parts; what came is not all of it. Ask again`,
    )
  }

  #fail(error: unknown): void {
    if (this.#state.kind !== 'open') return
    this.#tell('stop')
    this.#end({ kind: 'failed', error })
  }

  /** Upholds T3. */
  #end(state: State): void {
    this.#state = state
    this.#silence.end()
    clearTimeout(this.#deadline)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#box?.close()
    this.#options.onEnd()
    this.#wake?.()
  }
}

const tooLate = ({ type, timeoutMs }: PartReaderOptions): MeshError =>
  new MeshError('MESH_REQUEST_TIMEOUT', `${type}: its last part did not come within ${timeoutMs} ms`)

/**
 * The responder's side of one stream of replies.
 *
 * S1  At most `window` parts are on their way that the requester has not taken, and never more than 10 000, whatever it says.
 * S2  Each side says at least every third of `idleMs` that it is there; one that is silent for `idleMs` counts as gone.
 * S3  Parts are numbered, and whatever is said names the last number, so that a lost one is found by the requester.
 */
import { MeshError } from '../errors.ts'
import { Silence } from './silence.ts'
import { type AnswerKind, type Incoming, REQUEST_HEADER, wholeNumber } from './wire.ts'

/** Parts on their way where a plain client does not say how many it takes. */
export const DEFAULT_WINDOW = 32
/** Silence after which the other side is gone, ms. */
export const DEFAULT_IDLE_MS = 5000
export const LEAST_IDLE_MS = 300
export const MOST_WINDOW = 10_000
export const MOST_IDLE_MS = 600_000

export class ReplySession {
  readonly #say: (kind: AnswerKind, part: number) => void
  readonly #gone = new AbortController()
  readonly #silence: Silence
  #allowed: number
  #sent = 0
  #isQuiet = true
  #waiting: (() => void) | undefined

  constructor(request: Incoming, say: (kind: AnswerKind, part: number) => void) {
    this.#say = say
    const { [REQUEST_HEADER.window]: window, [REQUEST_HEADER.idle]: idle } = request.headers
    this.#allowed = between(1, wholeNumber(window) ?? DEFAULT_WINDOW, MOST_WINDOW)
    const idleMs = between(LEAST_IDLE_MS, wholeNumber(idle) ?? DEFAULT_IDLE_MS, MOST_IDLE_MS)
    this.#silence = new Silence(idleMs, () => this.#onBeat())
    // The requester learns from it where to answer, and that its request is being looked at.
    say('alive', 0)
  }

  /** Aborts when the requester stopped early or is gone. */
  get signal(): AbortSignal {
    return this.#gone.signal
  }

  /** How many parts went out. */
  get sent(): number {
    return this.#sent
  }

  /** `more <n>`: parts up to number n may be sent. `stop`: the requester wants no more. */
  onControl(said: string): void {
    if (said === 'stop') this.#end('the requester stopped early')
    const upTo = wholeNumber(/^more (\d+)$/.exec(said)?.[1])
    if (upTo === undefined) return
    this.#silence.heard()
    const allowed = Math.min(upTo, this.#sent + MOST_WINDOW)
    if (allowed <= this.#allowed) return
    this.#allowed = allowed
    this.#waiting?.()
  }

  /** The server found nobody to hand a part to. */
  onGone(): void {
    this.#end('the requester is gone')
  }

  /** Upholds S1. Resolves when another part may go out; never when `signal` aborts. */
  async room(): Promise<void> {
    while (this.#sent >= this.#allowed) await new Promise<void>((resolve) => (this.#waiting = resolve))
  }

  /** The number of the part that goes out now. */
  next(): number {
    this.#isQuiet = false
    return ++this.#sent
  }

  close(): void {
    this.#silence.end()
  }

  /** Upholds S2. */
  #onBeat(): void {
    if (this.#silence.isOver) this.#end('the requester is silent')
    if (this.#isQuiet) this.#say('alive', this.#sent)
    this.#isQuiet = true
  }

  #end(why: string): void {
    this.#gone.abort(new MeshError('MESH_CLOSED', why))
  }
}

const between = (least: number, value: number, most: number): number => Math.min(Math.max(least, value), most)

/**
 * Keeps a durable's deliveries coming, by credit.
 *
 * L1  asked + held never exceeds `limit` (but for messages of a request the server answers after we gave it up).
 * L2  After a 409 or 503 all requests count as gone and are made again, 100 ms later at first, 250 ms at most: an election takes
 *     seconds, and whoever waits longer between two requests adds that to it.
 * L3  Two heartbeats without a frame, or a reconnect: the same as L2, at once. The first request after a lapse may be lost
 *     as well, while a leader takes over: it is a small one whose silence shows within half a second.
 * L4  However often that comes, `onLapse` and `onDoubt` are called every 2 s at most; `onLapse` once more when frames come again.
 * L5  After `stop()` no message is delivered to nobody: the subscription drains, so what was on its way still arrives.
 * L6  Where another server may lead the durable, that is not enough: what it sends until it hears that the subscription is
 *     gone comes to nobody, and waits for `ack_wait`. So `runOut()` comes first: nothing more is asked for, and what was asked
 *     for comes or is over.
 */
import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { takeShare, type Share } from './byte-share.ts'
import { pullRequest, pullStatus } from './pull-protocol.ts'
import { RunOut } from './run-out.ts'
import { turnNow } from './turn-clock.ts'

export type PullLoopOptions = {
  connection: ConnectionWatch
  /** Names on the server. */
  stream: string
  durable: string
  /** @default '_INBOX' */
  inboxPrefix?: string | undefined
  /** Messages asked for and held at most. */
  limit: number
  /** Messages in hand that another loop brought. @default 0 */
  held?: number
  /** @default 15 000 */
  expiresMs?: number
  /** Of the durable: what a message costs that is lost on its way. @default 30 000 */
  ackWaitMs?: number
  /** @default 1000 */
  heartbeatMs?: number
  onMessage: (msg: Msg) => void
  /** The leader changed, or nobody knows: what was on its way to the server may be lost. */
  onLapse: () => void
  /** The durable may be gone: look, and make it again. Called again for as long as there are signs of it. */
  onDoubt: (why: string) => void
}

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 250
/** Asked for until the server has answered again. */
const PROBE = { batch: 16, expiresMs: 1000, heartbeatMs: 150, silentMs: 400 }
/** Asking for messages costs a message; what a lapse or a doubt leads to costs many. */
const TELL_EVERY_MS = 2000
/** A request that would be over sooner brings nothing. */
const LEAST_MS = 20

export class PullLoop {
  readonly #nc: NatsConnection
  readonly #options: PullLoopOptions
  readonly #inbox: string
  readonly #sub: Subscription
  readonly #share: Share
  readonly #runOut: RunOut
  readonly #watchdog: NodeJS.Timeout
  readonly #heartbeatMs: number
  readonly #unlisten: () => void
  #limit: number
  #asked = 0
  #held: number
  #lastFrame = performance.now()
  #lapseToldAt = -Infinity
  #doubtToldAt = -Infinity
  #isLapseUntold = false
  #pauseMs = FIRST_PAUSE_MS
  #pause: NodeJS.Timeout | undefined
  /** A request ended by its bytes; what it had asked for before may be under way. */
  #isCut = false
  /** Of the last request. */
  #askedBytes = 0
  /** The next message is larger than a request may have. */
  #isTooLarge = false
  /** Since the last lapse nothing was heard. */
  #isProbing = false
  #silence: NodeJS.Timeout | undefined
  #stopped = false

  constructor(nc: NatsConnection, options: PullLoopOptions) {
    this.#nc = nc
    this.#options = options
    this.#limit = options.limit
    this.#held = options.held ?? 0
    this.#heartbeatMs = options.heartbeatMs ?? 1000
    this.#runOut = new RunOut(nc, options.ackWaitMs ?? 30_000)
    this.#inbox = createInbox(options.inboxPrefix)
    this.#share = takeShare(nc)
    this.#sub = nc.subscribe(this.#inbox, {
      callback: (error, msg) => this.#guarded(error, msg),
    })
    this.#watchdog = setInterval(() => this.#watch(), this.#heartbeatMs / 2)
    this.#unlisten = options.connection.listen({ up: () => this.#onReconnect(), move: (at) => this.runOut(at) })
    this.#pull()
  }

  /** The last frame is fresh: the server knows our request. */
  get alive(): boolean {
    return this.#limit === 0 || this.#asked === 0 || performance.now() - this.#lastFrame < 5 * this.#heartbeatMs
  }

  /** A delivered message is settled, or moved elsewhere: its credit is free. */
  release(): void {
    this.#held--
    this.#pull()
  }

  /** A message whose credit was given back needs it again. */
  reclaim(): void {
    this.#held++
  }

  /** Changes how many are asked for; 0 stops asking. What the server was asked for already may still come. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.#pull()
  }

  /** Upholds L6: what is asked for now may be on its way from another server. */
  get mayLose(): boolean {
    return this.#mayRunOut && this.#asked > 0 && this.#runOut.isShort
  }

  get #mayRunOut(): boolean {
    return this.#runOut.isNeeded && !this.#stopped && this.#options.connection.isUp()
  }

  /**
   * Upholds L6: resolves when what was asked for has come or is over. Until `until` (of `performance.now()`) it is asked for
   * more, but for nothing that comes later. A new connection ends it.
   * @default until now
   */
  async runOut(until: number = performance.now()): Promise<void> {
    if (this.#mayRunOut) await this.#runOut.until(until, () => this.#asked === 0)
  }

  /** Upholds L5. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#share.giveBack()
    this.#unlisten()
    clearInterval(this.#watchdog)
    clearTimeout(this.#pause)
    clearTimeout(this.#silence)
    if (!this.#nc.isClosed()) await this.#sub.drain().catch(() => undefined)
  }

  /** One beyond those that are here; until the next `setLimit`. */
  askForOneMore(): void {
    this.setLimit(this.#held + 1)
  }

  #pull(): void {
    const want = this.#limit - this.#held - this.#asked
    const isWorthIt =
      this.#asked === 0 || (!this.#isProbing && !this.#isCut && want >= this.#limit / 2 && !this.#runOut.asksForOne)
    if (want <= 0 || !isWorthIt || this.#stopped || this.#pause) return
    // A publish on one that drains throws, and whoever gives a credit back cannot do anything about it.
    if (this.#nc.isClosed() || this.#nc.isDraining()) return
    const { leftMs } = this.#runOut
    if (leftMs < LEAST_MS) return
    const { stream, durable, expiresMs: longMs = 15_000 } = this.#options
    const { batch: some, ...times } = this.#isProbing
      ? { ...PROBE, batch: Math.min(want, PROBE.batch) }
      : { ...this.#runOut.ask(want, longMs), heartbeatMs: this.#heartbeatMs }
    const batch = this.#isTooLarge ? 1 : some
    this.#askedBytes = this.#share.bytes()
    this.#isCut = false
    if (this.#isProbing) this.#silence = setTimeout(() => this.#askAnew(), PROBE.silentMs)
    this.#asked += batch
    const expiresMs = Math.min(times.expiresMs, leftMs)
    this.#runOut.onAsk(expiresMs)
    // One that did not fit comes alone.
    const maxBytes = this.#isTooLarge ? undefined : this.#askedBytes
    const request = pullRequest({ ...times, batch, maxBytes, expiresMs })
    this.#nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`, request, { reply: this.#inbox })
  }

  /** What is thrown into the client ends its connection, for all who share it. */
  #guarded(refused: Error | null, msg: Msg): void {
    try {
      if (refused) throw refused
      this.#onFrame(msg)
    } catch (error) {
      this.#options.onDoubt(error instanceof Error ? error.message : String(error))
    }
  }

  #onFrame(msg: Msg): void {
    this.#lastFrame = turnNow()
    clearTimeout(this.#silence)
    // What is delivered says where its answer goes; to be asked for its subject, the client would make a text of it.
    if (msg.reply) {
      this.#runOut.onMessage(this.#lastFrame)
      this.#asked = Math.max(0, this.#asked - 1)
      this.#held++
      this.#isTooLarge = false
      this.#onAnswered()
      this.#options.onMessage(msg)
      this.#pull()
    } else this.#onStatus(msg)
    this.#runOut.look()
  }

  #onStatus(msg: Msg): void {
    const status = pullStatus(msg)
    if (status.kind === 'alive') this.#onAnswered()
    else if (status.kind === 'gone') {
      if (status.of === 'durable') this.#options.onDoubt(status.why)
      else if (status.of === 'nobody') this.#onNobody()
      this.#again()
    } else {
      if (status.kind === 'cut') {
        // On three servers this overtakes messages: they are waited for, or ever more would be under way.
        this.#isCut = true
        this.#isTooLarge = status.pendingBytes >= this.#askedBytes
      } else this.#isProbing = false
      this.#asked = Math.max(0, this.#asked - (status.pending ?? this.#asked))
      this.#pull()
    }
  }

  /** Somebody leads it again. Upholds L4. */
  #onAnswered(): void {
    this.#pauseMs = FIRST_PAUSE_MS
    this.#isProbing = false
    if (this.#isLapseUntold) this.#onLapse()
  }

  /** Upholds L4. */
  #onNobody(): void {
    const now = performance.now()
    if (now - this.#doubtToldAt < TELL_EVERY_MS) return
    this.#doubtToldAt = now
    this.#options.onDoubt('nobody answers for it')
  }

  #onLapse(): void {
    this.#isLapseUntold = false
    this.#lapseToldAt = performance.now()
    this.#options.onLapse()
  }

  /** Upholds L2 and L4. */
  #again(): void {
    this.#asked = 0
    this.#isProbing = true
    if (performance.now() - this.#lapseToldAt < TELL_EVERY_MS) this.#isLapseUntold = true
    else this.#onLapse()
    if (this.#stopped || this.#pause) return
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      this.#pull()
    }, this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS)
  }

  /** Upholds L3. */
  #watch(): void {
    if (this.#asked === 0 || performance.now() - this.#lastFrame < 2 * this.#heartbeatMs + this.#heartbeatMs / 2) return
    this.#lastFrame = performance.now()
    this.#onLapse()
    this.#options.onDoubt('no heartbeat')
    this.#askAnew()
  }

  /** Upholds L3. */
  #onReconnect(): void {
    this.#runOut.reset()
    this.#lastFrame = performance.now()
    this.#askAnew()
  }

  /** All that was asked for counts as gone. */
  #askAnew(): void {
    this.#asked = 0
    this.#isProbing = true
    clearTimeout(this.#silence)
    this.#pull()
  }
}

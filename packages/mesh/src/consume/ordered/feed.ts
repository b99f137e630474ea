/**
 * Brings the events of one partition in stream order, each once, from a given one on.
 *
 * F1  Events come in the order of the stream without a gap: the consumer behind it is read only as long as its own count of
 *     deliveries has none, and made anew after the last event at any sign that something was lost.
 * F2  Nothing is acked and the server keeps no account of it: who is how far stands in the partition's record alone.
 * F3  After `stop()` nothing is handed on.
 * F4  What is in hand counts against the limit, whichever consumer brought it.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { nanos, type Msg, type NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../../lifecycle/connection-watch.ts'
import { parseAckSubject } from '../ack-subject.ts'
import type { Credit } from '../delivery.ts'
import { PullLoop } from '../pull-loop.ts'

export type FeedOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  inboxPrefix: string | undefined
  /** As the server names them. */
  stream: string
  filter: string
  /** What the consumer's name begins with. */
  name: string
  /** The last sequence that is not wanted. */
  after: number
  limit: number
  /** Comes before each time the stream is read on; it may stop the feed. @throws when that cannot be done now */
  beforeOpen: () => Promise<void>
  /** Each event with what it takes up of the limit. */
  onEvent: (msg: Msg, credit: Credit) => void
}

const REQUEST_MS = 5000
/** What fails for longer, and as often, is said. */
const FAULT_AFTER = { attempts: 4, ms: 2000 }
/** An election takes seconds, and whoever waits longer between two attempts adds that to it. */
const AGAIN_MS = { first: 100, later: 250 }
/** The server forgets a consumer that nobody pulls from. */
const FORGET_MS = 30_000

export class Feed {
  readonly #options: FeedOptions
  readonly #unlisten: () => void
  readonly #credit: Credit = {
    release: () => {
      this.#held--
      this.#loop?.release()
    },
    reclaim: () => {
      this.#held++
      this.#loop?.reclaim()
    },
  }
  #after: number
  #limit: number
  #held = 0
  #fault: string | undefined
  #loop: PullLoop | undefined
  #name = ''
  /** Of the consumer that is read now; a message of an older one is not counted. */
  #deliveries = 0
  #isOpening = false
  #mustReopen = false
  #isStopped = false

  constructor(options: FeedOptions) {
    this.#options = options
    this.#after = options.after
    this.#limit = options.limit
    // What was on its way when the connection broke is gone, and nothing would tell.
    this.#unlisten = options.connection.listen({ up: () => this.reopen() })
    this.reopen()
  }

  /** The last event handed on. */
  get position(): number {
    return this.#after
  }

  /** Why the stream cannot be read; undefined when all is well. */
  get fault(): string | undefined {
    return this.#fault
  }

  get limit(): number {
    return this.#limit
  }

  /** It may bring more at once. */
  get hasRoom(): boolean {
    return this.#held < this.#limit
  }

  /** Events in hand and asked for at most; 0 stops asking. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.#loop?.setLimit(limit)
  }

  /** Goes on behind the last event, with a new consumer. */
  reopen(): void {
    if (this.#isStopped) return
    this.#mustReopen = true
    if (!this.#isOpening) void this.#open()
  }

  /** The same, where there is something the consumer did not bring: one that is just being made will. */
  refresh(): void {
    if (this.#loop) this.reopen()
  }

  /** How many events it has not brought yet; 0 where that cannot be known now. */
  async pending(): Promise<number> {
    const { nc, stream } = this.#options
    if (this.#name === '' || nc.isClosed()) return 0
    try {
      const answer = await nc.request(`$JS.API.CONSUMER.INFO.${stream}.${this.#name}`, '', { timeout: REQUEST_MS })
      return answer.json<{ num_pending?: number }>().num_pending ?? 0
    } catch {
      return 0
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#unlisten()
    this.#close()
  }

  async #open(): Promise<void> {
    this.#isOpening = true
    let failingSince = 0
    for (let attempt = 0; this.#mustReopen && !this.#isStopped; attempt++) {
      this.#mustReopen = false
      this.#close()
      try {
        await this.#make()
        this.#fault = undefined
        attempt = -1
      } catch (error) {
        const now = performance.now()
        if (attempt === 0) failingSince = now
        // An election is none.
        if (attempt >= FAULT_AFTER.attempts && now - failingSince >= FAULT_AFTER.ms)
          this.#fault = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`
        this.#mustReopen = true
        await sleep(attempt === 0 ? AGAIN_MS.first : AGAIN_MS.later, undefined, { ref: false })
      }
    }
    this.#isOpening = false
  }

  async #make(): Promise<void> {
    const { nc, stream, filter, connection, inboxPrefix } = this.#options
    if (nc.isClosed()) throw new Error('the connection is closed')
    await this.#options.beforeOpen()
    if (this.#isStopped) return
    const name = `${this.#options.name}_${randomBytes(6).toString('hex')}`
    const config = {
      name,
      filter_subject: filter,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: this.#after + 1,
      ack_policy: 'none',
      replay_policy: 'instant',
      inactive_threshold: nanos(FORGET_MS),
      mem_storage: true,
      num_replicas: 1,
    }
    const body = JSON.stringify({ stream_name: stream, config, action: 'create' })
    const answer = await nc.request(`$JS.API.CONSUMER.CREATE.${stream}.${name}`, body, { timeout: REQUEST_MS })
    const { error } = answer.json<{ error?: { description?: string } }>()
    if (error) throw new Error(error.description ?? 'the consumer was not made')
    this.#deliveries = 0
    this.#name = name
    if (this.#isStopped) {
      this.#close()
      return
    }
    const loop: PullLoop = new PullLoop(nc, {
      connection,
      inboxPrefix,
      stream,
      durable: name,
      limit: this.#limit,
      held: this.#held,
      onMessage: (msg) => {
        if (loop === this.#loop) this.#onMessage(msg)
      },
      onLapse: () => this.#onDoubt(loop),
      onDoubt: () => this.#onDoubt(loop),
    })
    this.#loop = loop
  }

  /** Upholds F3. */
  #close(): void {
    const { nc, stream } = this.#options
    const loop = this.#loop
    this.#loop = undefined
    void loop?.stop()
    if (this.#name === '' || nc.isClosed() || nc.isDraining()) return
    // Nobody waits for it: the server forgets it by itself.
    nc.publish(`$JS.API.CONSUMER.DELETE.${stream}.${this.#name}`)
    this.#name = ''
  }

  /** Upholds F1 and F4. */
  #onMessage(msg: Msg): void {
    const info = parseAckSubject(msg.reply ?? '')
    if (!info || info.consumerSeq !== this.#deliveries + 1) {
      this.reopen()
      return
    }
    this.#options.onEvent(msg, this.#credit)
    this.#held++
    this.#deliveries++
    this.#after = info.streamSeq
  }

  #onDoubt(loop: PullLoop): void {
    if (loop === this.#loop) this.reopen()
  }
}

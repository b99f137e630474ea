import { ownInbox } from '@malha/mesh'
import { AckPolicy, DeliverPolicy, type JetStreamManager, ReplayPolicy } from '@nats-io/jetstream'
import { type Msg, nanos, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { reasonOf } from '../errors.ts'
import { headersOf, parseAckReply, type StoredMessage } from '../message/stored-message.ts'

/*
 * Reads one stream in order from a sequence on, through a throw-away consumer that acknowledges nothing.
 * F1  One pull is open at a time, and none while the buffer behind it has no room: memory is bounded whatever happens.
 * F2  Consumer sequences must follow each other. A step, a silent server or any status that is not the plain end of a
 *     pull ends the feed with a fault; it never tries to mend itself. Whoever opened it knows from where to start again.
 */

/** A message on its way to the archive, with how many the consumer has behind it. */
export type Fed = { readonly message: StoredMessage; readonly pending: number }

export type FeedOptions = {
  stream: string
  fromSeq: number
  /** Size of one pull. */
  rows: number
  bytes: number
  /** Takes each message. */
  onMessage: (fed: Fed) => void
  /** Whether one more pull fits. Asked at the end of a pull and at `more()`. */
  hasRoom: () => boolean
  /** Told once, when the feed can't go on. Undefined: it was closed. */
  onEnd: (fault: string | undefined) => void
}

export type Feed = {
  /** There may be room again. */
  more: () => void
  /** Ends the feed and its consumer. What was delivered has been handed over. */
  close: () => void
}

/** Heartbeat of a pull while nothing comes, ms; a server silent for two and a half of them is taken for gone. */
const HEARTBEAT_MS = 1_000
const EXPIRES_MS = 20_000

/** Opens the feed; rejects when the consumer can't be made. */
export async function openFeed(nats: NatsConnection, jsm: JetStreamManager, options: FeedOptions): Promise<Feed> {
  const info = await jsm.consumers.add(options.stream, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: options.fromSeq,
    replay_policy: ReplayPolicy.Instant,
    inactive_threshold: nanos(60_000),
    mem_storage: true,
    num_replicas: 1,
  })
  return new PullFeed(nats, jsm, info.name, options).start()
}

class PullFeed implements Feed {
  readonly #nats: NatsConnection
  readonly #jsm: JetStreamManager
  readonly #consumer: string
  readonly #options: FeedOptions
  readonly #inbox: string
  #subscription: Subscription | undefined
  #open: { left: number; received: number } | undefined
  #lastConsumerSeq = 0
  #heardAt = performance.now()
  #tooBig = false
  #watchdog: NodeJS.Timeout | undefined
  #ended = false

  constructor(nats: NatsConnection, jsm: JetStreamManager, consumer: string, options: FeedOptions) {
    this.#nats = nats
    this.#jsm = jsm
    this.#consumer = consumer
    this.#options = options
    this.#inbox = ownInbox(nats)
  }

  start(): this {
    this.#subscription = this.#nats.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (error) this.#end(reasonOf(error))
        else this.#take(message)
      },
    })
    this.#watchdog = setInterval(() => {
      if (this.#open && performance.now() - this.#heardAt > 2.5 * HEARTBEAT_MS) this.#end('the server has gone silent')
    }, HEARTBEAT_MS / 2)
    this.#watchdog.unref()
    this.more()
    return this
  }

  more(): void {
    if (this.#ended || this.#open || !this.#options.hasRoom()) return
    // A message larger than a whole pull comes alone, without a limit on bytes.
    const batch = this.#tooBig ? 1 : this.#options.rows
    this.#open = { left: batch, received: 0 }
    this.#heardAt = performance.now()
    const request = {
      batch,
      ...(this.#tooBig ? {} : { max_bytes: this.#options.bytes }),
      expires: nanos(EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
    }
    this.#tooBig = false
    try {
      this.#nats.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${this.#options.stream}.${this.#consumer}`,
        JSON.stringify(request),
        { reply: this.#inbox },
      )
    } catch (error) {
      this.#end(reasonOf(error))
    }
  }

  close(): void {
    this.#end(undefined)
  }

  #take(message: Msg): void {
    if (this.#ended) return
    this.#heardAt = performance.now()
    const delivery = parseAckReply(message.reply)
    if (!delivery) return this.#status(message)
    if (delivery.consumerSeq !== this.#lastConsumerSeq + 1)
      return this.#end(`delivery ${delivery.consumerSeq} came after ${this.#lastConsumerSeq}`)
    this.#lastConsumerSeq = delivery.consumerSeq
    this.#options.onMessage({
      message: {
        seq: delivery.seq,
        subject: message.subject,
        storedAtNs: delivery.storedAtNs,
        headers: headersOf(() => message.headers),
        payload: message.data,
      },
      pending: delivery.pending,
    })
    if (!this.#open) return
    this.#open.received += 1
    this.#open.left -= 1
    if (this.#open.left === 0) this.#closePull()
  }

  /** Status messages of a pull: ADR-13, and nats-server's consumer.go. */
  #status(message: Msg): void {
    const code = message.headers?.code ?? 0
    const text = message.headers?.description ?? ''
    if (code === 100) {
      const last = Number(message.headers?.get('Nats-Last-Consumer') || this.#lastConsumerSeq)
      if (last > this.#lastConsumerSeq) this.#end(`deliveries ${this.#lastConsumerSeq + 1} to ${last} did not arrive`)
      return
    }
    if (code === 408) return this.#closePull()
    // Comes behind the last message of a pull, when the next one may be open already.
    if (code === 409 && /batch completed/i.test(text)) return
    if (code === 409 && /max ?bytes/i.test(text)) {
      this.#tooBig = this.#open?.received === 0
      return this.#closePull()
    }
    this.#end(`the server ended the pull: ${code} ${text}`)
  }

  #closePull(): void {
    this.#open = undefined
    this.more()
  }

  #end(fault: string | undefined): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#watchdog)
    if (!this.#nats.isClosed()) {
      this.#subscription?.unsubscribe()
      // It would go by itself after a minute without pulls.
      this.#jsm.consumers.delete(this.#options.stream, this.#consumer).catch(() => undefined)
    }
    this.#options.onEnd(fault)
  }
}

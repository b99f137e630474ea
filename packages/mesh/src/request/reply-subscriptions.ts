import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Logger } from '../observe/logger.ts'
import { within } from './within.ts'
import { type Incoming, incoming, QUEUE_GROUP } from './wire.ts'

export type ReplySubscriptionsOptions = { nc: NatsConnection; log: Logger; labels: object }

type OnMessage = (msg: Incoming) => void

/** What one reply listens on in one process: its requests and, of streams, their control messages. */
export class ReplySubscriptions {
  readonly #options: ReplySubscriptionsOptions
  #requests: Subscription | undefined
  #controls: Subscription | undefined
  #refused: string | undefined

  constructor(options: ReplySubscriptionsOptions) {
    this.#options = options
  }

  /** The subject this user may not subscribe to, if there is one: known after the next flush. */
  get refused(): string | undefined {
    return this.#refused
  }

  /** Shared with the other instances: each request comes to one of them. */
  takeRequests(subject: string, onRequest: OnMessage): void {
    this.#requests = this.#subscribe(subject, onRequest, { queue: QUEUE_GROUP })
  }

  takeControls(subject: string, onControl: OnMessage): void {
    this.#controls = this.#subscribe(subject, onControl)
  }

  /** Resolves when the server sends no more requests and what it sent is here, or after `ms`. Control messages go on. */
  async drainRequests(ms: number): Promise<void> {
    await within(this.#drained(), ms)
  }

  end(): void {
    this.#requests?.unsubscribe()
    this.#controls?.unsubscribe()
  }

  async #drained(): Promise<void> {
    // Where the connection is away the client gives up with its next try to connect.
    await this.#requests?.drain().catch(() => undefined)
    // What is not given up would be subscribed again when the connection is back.
    this.#requests?.unsubscribe()
  }

  #subscribe(subject: string, onMessage: OnMessage, group: { queue?: string } = {}): Subscription {
    const { nc, log, labels } = this.#options
    const callback = (refused: Error | null, msg: Parameters<typeof incoming>[0]): void => {
      if (refused) {
        this.#refused = subject
        return
      }
      // What is thrown into the client ends its connection.
      try {
        onMessage(incoming(msg))
      } catch (error) {
        log.error({ ...labels, err: error }, 'a request could not be taken')
      }
    }
    return nc.subscribe(subject, { callback, ...group })
  }
}

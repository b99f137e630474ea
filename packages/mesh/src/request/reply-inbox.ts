import { createInbox, type NatsConnection } from '@nats-io/transport-node'
import { type Incoming, incoming } from './wire.ts'

/** Where the answers to one request arrive. */
export type Box = {
  readonly subject: string
  close(): void
}

/** One subscription for the answers to all requests of a process. */
export class ReplyInbox {
  readonly #nc: NatsConnection
  readonly #inbox: string
  readonly #boxes = new Map<string, (answer: Incoming) => void>()
  #counter = 0
  #isOpen = false

  constructor(nc: NatsConnection, inboxPrefix: string) {
    this.#nc = nc
    this.#inbox = createInbox(inboxPrefix)
  }

  open(onAnswer: (answer: Incoming) => void): Box {
    this.#subscribe()
    const token = (this.#counter++).toString(36)
    this.#boxes.set(token, onAnswer)
    return { subject: `${this.#inbox}.${token}`, close: () => void this.#boxes.delete(token) }
  }

  #subscribe(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#nc.subscribe(`${this.#inbox}.*`, {
      callback: (refused, msg) => {
        if (refused) {
          // Whoever waits hears of it on the connection; the next one tries again.
          this.#isOpen = false
          return
        }
        try {
          this.#boxes.get(msg.subject.slice(this.#inbox.length + 1))?.(incoming(msg))
        } catch {
          // What is thrown into the client ends its connection. The request it was for ends at its deadline.
        }
      },
    })
  }
}

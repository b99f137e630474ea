/**
 * Answers the server about deliveries.
 *
 * S1  Answers of one event-loop turn go out in one write: one `publish` each would be one socket write each.
 * S2  An ack is never given while the connection is down: the client would drop it. It waits, and is sent on reconnect.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'

const encoder = new TextEncoder()
const ACK = encoder.encode('+ACK')
const WORKING = encoder.encode('+WPI')
const TERM = encoder.encode('+TERM')
const NAK = encoder.encode('-NAK')

export class Settler {
  readonly #nc: NatsConnection
  readonly #connection: ConnectionWatch
  #queue: { reply: string; body: Uint8Array; onSent: (() => void) | undefined }[] = []
  #scheduled = false

  constructor(nc: NatsConnection, connection: ConnectionWatch) {
    this.#nc = nc
    this.#connection = connection
    connection.listen({ up: () => this.#send() })
  }

  /** Done: never deliver it again. `onSent` is called when it left for the server. */
  ack(reply: string, onSent?: () => void): void {
    this.#answer(reply, ACK, onSent)
  }

  /** Still here: the server's `ack_wait` starts anew. Pointless while disconnected, so not kept. */
  working(reply: string): void {
    if (this.#connection.isUp()) this.#answer(reply, WORKING)
  }

  /** Handed back: deliver it again, after `delayMs`. */
  nak(reply: string, delayMs = 0): void {
    this.#answer(reply, delayMs > 0 ? encoder.encode(`-NAK {"delay": ${Math.round(delayMs * 1e6)}}`) : NAK)
  }

  /** Never deliver it again; its dead letter is stored. */
  term(reply: string, onSent?: () => void): void {
    this.#answer(reply, TERM, onSent)
  }

  /** Sends what is queued and waits until the server has read it; does nothing while disconnected. */
  async flush(): Promise<void> {
    this.#send()
    if (this.#connection.isUp() && !this.#nc.isClosed()) await this.#nc.flush()
  }

  #answer(reply: string, body: Uint8Array, onSent?: () => void): void {
    this.#queue.push({ reply, body, onSent })
    if (this.#scheduled || !this.#connection.isUp()) return
    this.#scheduled = true
    setImmediate(() => this.#send())
  }

  #send(): void {
    this.#scheduled = false
    if (!this.#connection.isUp() || this.#nc.isClosed()) return
    const queue = this.#queue
    this.#queue = []
    for (const { reply, body } of queue) this.#nc.publish(reply, body)
    for (const { onSent } of queue) onSent?.()
  }
}

/**
 * Answers the server about deliveries.
 *
 * S1  Answers of one event-loop turn go out in one write: one `publish` each would be one socket write each.
 * S2  An ack is never given while the connection is down: the client would drop it. It waits, and is sent on reconnect.
 * S3  An answer that ends a delivery is sent again after a lapse (a reconnect, a change of leader): one that was on its
 *     way then is lost, and the message would come again only after `ack_wait`. A second one does no harm.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'

type Answer = { reply: string; body: Uint8Array; onSent: (() => void) | undefined }

const RECENT_MS = 1000
const encoder = new TextEncoder()
const ACK = encoder.encode('+ACK')
const WORKING = encoder.encode('+WPI')
const TERM = encoder.encode('+TERM')
const NAK = encoder.encode('-NAK')

export class Settler {
  readonly #nc: NatsConnection
  readonly #connection: ConnectionWatch
  #queue: Answer[] = []
  #scheduled = false
  /** Ended within the last one to two seconds. */
  #recent: Answer[] = []
  #older: Answer[] = []
  #turnedAt = 0

  constructor(nc: NatsConnection, connection: ConnectionWatch) {
    this.#nc = nc
    this.#connection = connection
    connection.listen({ up: () => this.sendAgain() })
  }

  /** Done: never deliver it again. `onSent` is called when it left for the server. */
  ack(reply: string, onSent?: () => void): void {
    this.#end(reply, ACK, onSent)
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
    this.#end(reply, TERM, onSent)
  }

  /** Upholds S3. */
  sendAgain(): void {
    for (const { reply, body } of [...this.#older, ...this.#recent]) this.#answer(reply, body)
    this.#send()
  }

  /** Sends what is queued and waits until the server has read it; does nothing while disconnected. */
  async flush(): Promise<void> {
    this.#send()
    if (this.#connection.isUp() && !this.#nc.isClosed()) await this.#nc.flush()
  }

  #end(reply: string, body: Uint8Array, onSent: (() => void) | undefined): void {
    const now = performance.now()
    if (now - this.#turnedAt > RECENT_MS) {
      this.#older = now - this.#turnedAt > 2 * RECENT_MS ? [] : this.#recent
      this.#recent = []
      this.#turnedAt = now
    }
    const answer = { reply, body, onSent }
    this.#recent.push(answer)
    this.#enqueue(answer)
  }

  #answer(reply: string, body: Uint8Array): void {
    this.#enqueue({ reply, body, onSent: undefined })
  }

  #enqueue(answer: Answer): void {
    // A delivery of a stream that is gone: there is nobody to tell.
    if (answer.reply === '') return
    this.#queue.push(answer)
    if (this.#scheduled || !this.#connection.isUp()) return
    this.#scheduled = true
    setImmediate(() => this.#send())
  }

  #send(): void {
    this.#scheduled = false
    if (!this.#connection.isUp() || this.#nc.isClosed() || this.#nc.isDraining()) return
    const queue = this.#queue
    this.#queue = []
    for (const { reply, body } of queue) this.#nc.publish(reply, body)
    for (const { onSent } of queue) onSent?.()
  }
}

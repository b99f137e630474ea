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

/** Most are acks that nobody waits for: of these only the reply is kept. */
type Answer = string | { reply: string; body: Uint8Array; onSent?: (() => void) | undefined }
/** Replies that got the same answer, in one text: each one on its own would make collecting garbage dear. */
type Ended = { replies: string; body: Uint8Array }

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
  /** Sent within the last one to two seconds. */
  #recent: Ended[] = []
  #older: Ended[] = []
  #turnedAt = 0

  constructor(nc: NatsConnection, connection: ConnectionWatch) {
    this.#nc = nc
    this.#connection = connection
    connection.listen({ up: () => this.sendAgain() })
  }

  /** Done: never deliver it again. `onSent` is called when it left for the server. */
  ack(reply: string, onSent?: () => void): void {
    this.#answer(reply, onSent ? { reply, body: ACK, onSent } : reply)
  }

  /** Still here: the server's `ack_wait` starts anew. Pointless while disconnected, so not kept. */
  working(reply: string): void {
    if (this.#connection.isUp()) this.#answer(reply, { reply, body: WORKING })
  }

  /** Handed back: deliver it again, after `delayMs`. */
  nak(reply: string, delayMs = 0): void {
    const body = delayMs > 0 ? encoder.encode(`-NAK {"delay": ${Math.round(delayMs * 1e6)}}`) : NAK
    this.#answer(reply, { reply, body })
  }

  /** Never deliver it again; its dead letter is stored. */
  term(reply: string, onSent?: () => void): void {
    this.#answer(reply, { reply, body: TERM, onSent })
  }

  /** Upholds S3. */
  sendAgain(): void {
    const ended = [...this.#older, ...this.#recent]
    this.#send()
    if (!this.#canSend()) return
    for (const { replies, body } of ended) for (const reply of replies.split(' ')) this.#nc.publish(reply, body)
  }

  /** Sends what is queued and waits until the server has read it; does nothing while disconnected. */
  async flush(): Promise<void> {
    this.#send()
    if (this.#connection.isUp() && !this.#nc.isClosed()) await this.#nc.flush()
  }

  #answer(reply: string, answer: Answer): void {
    // A delivery of a stream that is gone: there is nobody to tell.
    if (reply === '') return
    this.#queue.push(answer)
    if (this.#scheduled || !this.#connection.isUp()) return
    this.#scheduled = true
    setImmediate(() => this.#send())
  }

  #canSend(): boolean {
    return this.#connection.isUp() && !this.#nc.isClosed() && !this.#nc.isDraining()
  }

  #send(): void {
    this.#scheduled = false
    if (this.#queue.length === 0 || !this.#canSend()) return
    const queue = this.#queue
    this.#queue = []
    const acked: string[] = []
    const sent: (() => void)[] = []
    for (const answer of queue) {
      if (typeof answer === 'string') {
        this.#nc.publish(answer, ACK)
        acked.push(answer)
        continue
      }
      const { reply, body, onSent } = answer
      this.#nc.publish(reply, body)
      if (body === ACK) acked.push(reply)
      if (body === TERM) this.#remember({ replies: reply, body })
      if (onSent) sent.push(onSent)
    }
    if (acked.length > 0) this.#remember({ replies: acked.join(' '), body: ACK })
    for (const onSent of sent) onSent()
  }

  #remember(ended: Ended): void {
    const now = performance.now()
    if (now - this.#turnedAt > RECENT_MS) {
      this.#older = now - this.#turnedAt > 2 * RECENT_MS ? [] : this.#recent
      this.#recent = []
      this.#turnedAt = now
    }
    this.#recent.push(ended)
  }
}

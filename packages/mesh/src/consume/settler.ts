/**
 * Answers the server about deliveries.
 *
 * S1  Answers of one event-loop turn go out in one write: one `publish` each would be one socket write each.
 * S2  An ack is never given while the connection is down: the client would drop it. It waits, and is sent on reconnect.
 * S3  An answer that ends a delivery is sent again after a lapse (a reconnect, a change of leader): one that was on its
 *     way then is lost, and the message would come again only after `ack_wait`. A second one does no harm.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { canWrite, type CommandWriter, commandWriter } from '../lifecycle/command-writer.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'

/** Most are acks that nobody waits for: of these only the reply is kept. */
type Answer = string | { reply: string; body: string; onSent?: (() => void) | undefined }
/** Answers as they are written: each one on its own would make collecting garbage dear. */
type Written = { count: number; commands: string }

const RECENT_MS = 1000
const ACK = '+ACK'
const WORKING = '+WPI'
const TERM = '+TERM'
const NAK = '-NAK'
/** Ends a delivery for good. */
const ENDS: ReadonlySet<string> = new Set([ACK, TERM])

export class Settler {
  readonly #nc: NatsConnection
  readonly #connection: ConnectionWatch
  readonly #writer: CommandWriter | undefined
  #queue: Answer[] = []
  #scheduled = false
  /** Sent within the last one to two seconds. */
  #recent: Written[] = []
  #older: Written[] = []
  #turnedAt = 0

  constructor(nc: NatsConnection, connection: ConnectionWatch) {
    this.#nc = nc
    this.#connection = connection
    this.#writer = commandWriter(nc)
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
    const body = delayMs > 0 ? `${NAK} {"delay": ${Math.round(delayMs * 1e6)}}` : NAK
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
    for (const written of ended) this.#write(written)
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
    return this.#connection.isUp() && canWrite(this.#nc)
  }

  #send(): void {
    this.#scheduled = false
    if (this.#queue.length === 0 || !this.#canSend()) return
    const queue = this.#queue
    this.#queue = []
    let commands = ''
    let ending = ''
    let ended = 0
    const sent: (() => void)[] = []
    for (const answer of queue) {
      const body = typeof answer === 'string' ? ACK : answer.body
      const command = commandOf(typeof answer === 'string' ? answer : answer.reply, body)
      commands += command
      if (ENDS.has(body)) {
        ending += command
        ended++
      }
      if (typeof answer !== 'string' && answer.onSent) sent.push(answer.onSent)
    }
    const all = { count: queue.length, commands }
    this.#write(all)
    if (ended > 0) this.#remember(ended === all.count ? all : { count: ended, commands: ending })
    for (const onSent of sent) onSent()
  }

  #write({ count, commands }: Written): void {
    if (this.#writer) this.#writer(count, Buffer.from(commands))
    else for (const [reply, body] of answersIn(commands)) this.#nc.publish(reply, body)
  }

  #remember(ended: Written): void {
    const now = performance.now()
    if (now - this.#turnedAt > RECENT_MS) {
      this.#older = now - this.#turnedAt > 2 * RECENT_MS ? [] : this.#recent
      this.#recent = []
      this.#turnedAt = now
    }
    this.#recent.push(ended)
  }
}

const commandOf = (reply: string, body: string): string => `PUB ${reply} ${body.length}\r\n${body}\r\n`

/** The same again, reply by reply. */
function* answersIn(commands: string): Generator<[reply: string, body: string]> {
  const lines = commands.split('\r\n')
  for (let index = 0; index + 1 < lines.length; index += 2) yield [lines[index]!.split(' ')[1]!, lines[index + 1]!]
}

import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { HeaderBlock, headerLines } from '../message/headers.ts'
import type { Logger } from '../observe/logger.ts'
import type { Answer } from './answer.ts'

export type AnswerSenderOptions = { nc: NatsConnection; connection: ConnectionWatch; log: Logger; labels: object }

export type Sending = {
  /** Of a stream: where its responder listens. */
  control?: string | undefined
  /** By `performance.now()`. Without it, what cannot be sent now is not kept. */
  expiresAt?: number
}

/** Sends answers, and keeps those that are ready while the connection is away. Never throws. */
export class AnswerSender {
  readonly #options: AnswerSenderOptions

  constructor(options: AnswerSenderOptions) {
    this.#options = options
  }

  /** While the connection is away an answer is kept: its requester may wait for it on the other side of the break. */
  send(to: string, answer: Answer, { control, expiresAt }: Sending = {}): void {
    const { nc, connection } = this.#options
    if (connection.isUp() || nc.isClosed()) this.#publish(to, answer, control)
    else if (expiresAt !== undefined) this.#keep(expiresAt, () => this.#publish(to, answer, control))
  }

  #publish(to: string, { headers, payload }: Answer, control: string | undefined): void {
    const { nc, log, labels } = this.#options
    try {
      const block = new HeaderBlock(headerLines(headers))
      nc.publish(to, payload, { headers: block as never, ...(control === undefined ? {} : { reply: control }) })
    } catch (error) {
      log.error({ ...labels, err: error }, 'an answer could not be sent')
    }
  }

  #keep(expiresAt: number, publish: () => void): void {
    const forget = (): void => {
      clearTimeout(timer)
      unlisten()
    }
    // Kept answers keep no process alive.
    const timer = setTimeout(forget, Math.max(0, expiresAt - performance.now())).unref()
    const unlisten = this.#options.connection.listen({
      up() {
        forget()
        publish()
      },
    })
  }
}

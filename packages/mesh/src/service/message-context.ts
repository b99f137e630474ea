import { type Logger, withFields } from '../observe/logger.ts'
import type { Attempt } from './attempt.ts'
import { ATTEMPT, type HandlerContext } from './context.ts'

/** What a handler gets beside the data. */
export const messageContext = (attempt: Attempt): HandlerContext => new MessageContext(attempt)

/** Its parts can be taken out of it by name; those that cost are made when they are. */
class MessageContext implements HandlerContext {
  readonly id: string
  readonly type: string
  readonly version: number
  readonly key: string | undefined
  readonly correlationId: string
  readonly causationId: string | undefined
  readonly attempt: number
  readonly fence: number | undefined
  /** Private, so that whoever logs a context does not log the whole mesh. */
  readonly #attempt: Attempt
  #log: Logger | undefined

  constructor(attempt: Attempt) {
    const { envelope, delivery } = attempt
    this.id = envelope.id
    this.type = envelope.type
    this.version = envelope.version
    this.key = envelope.key
    this.correlationId = envelope.correlationId
    this.causationId = envelope.causationId
    this.attempt = delivery.attempts
    this.fence = delivery.claim?.fence
    this.#attempt = attempt
  }

  get [ATTEMPT](): Attempt {
    return this.#attempt
  }

  get source(): HandlerContext['source'] {
    return this.#attempt.delivery.source
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get headers(): HandlerContext['headers'] {
    return this.#attempt.delivery.headers
  }

  get publish(): HandlerContext['publish'] {
    const attempt = this.#attempt
    return (contract, data, options = {}) => attempt.publish(contract, data, options)
  }

  get log(): Logger {
    return (this.#log ??= withFields(this.#attempt.deps.log, this.#fields()))
  }

  #fields(): object {
    const { deps, traceId } = this.#attempt
    return { handler: deps.handler, messageId: this.id, ...(traceId ? { trace_id: traceId } : {}) }
  }
}

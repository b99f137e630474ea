import type { Context } from '@opentelemetry/api'
import { receivedContext, type TraceCarrier } from './spans.ts'

/** The trace a message was published in, read out of its headers when something asks for it: what a handler does may not. */
export class ReceivedContext implements Context {
  #message: TraceCarrier | undefined
  #context: Context | undefined

  constructor(message: TraceCarrier) {
    this.#message = message
  }

  getValue(key: symbol): unknown {
    return this.#read().getValue(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#read().setValue(key, value)
  }

  deleteValue(key: symbol): Context {
    return this.#read().deleteValue(key)
  }

  #read(): Context {
    this.#context ??= receivedContext(this.#message!)
    this.#message = undefined
    return this.#context
  }
}

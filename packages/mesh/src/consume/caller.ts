import { AsyncResource } from 'node:async_hooks'
import type { Maybe } from '../maybe.ts'
import type { AttemptDeps } from '../service/attempt.ts'
import type { Delivery } from './delivery.ts'
import type { RunnerOptions } from './runner-options.ts'
import { type Tried, tryOnce } from './try-once.ts'

/** Tries the messages of one handler. */
export class Caller {
  /** Several messages are done in one go: what a handler enters (`enterWith`) must not reach the next one's. */
  readonly #apart = new AsyncResource('malha.handler')
  readonly #tryNext: () => Maybe<Tried>
  #next: Delivery | undefined

  constructor(options: RunnerOptions, attempt: AttemptDeps) {
    // A call with arguments would make a list of them, twice.
    this.#tryNext = () => tryOnce(options, attempt, this.#next!)
  }

  call(delivery: Delivery): Maybe<Tried> {
    this.#next = delivery
    return this.#apart.runInAsyncScope(this.#tryNext)
  }
}

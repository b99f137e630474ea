import { type Context, trace } from '@opentelemetry/api'
import type { Delivery } from '../consume/delivery.ts'
import type { Claim } from '../consume/ordered/claim.ts'
import { MeshError } from '../errors.ts'
import type { Maybe } from '../maybe.ts'
import type { AnyContract } from '../message/contract.ts'
import type { Envelope } from '../message/envelope.ts'
import { HEADER } from '../message/headers.ts'
import type { Logger } from '../observe/logger.ts'
import { tellRepeated } from '../observe/spans.ts'
import type { PublisherDeps } from '../publish/publisher.ts'
import type { Names } from '../topology/names.ts'
import type { AttemptOfContext, OutputOptions } from './context.ts'
import type { HandlerDef } from './define.ts'
import { follow } from './follow-signal.ts'
import { type OnceOptions, type Outputs, outputs } from './outputs.ts'

export type AttemptDeps = {
  publisher: PublisherDeps
  names: Names
  log: Logger
  service: string
  handler: string
  def: HandlerDef
  /** Takes part in every call of the user's function: the breaker. */
  guard: <T, A>(call: (given: A) => Maybe<T>, given: A) => Maybe<T>
  /** Whether it lets calls through. */
  isFlowing: () => boolean
  /** Aborts what cannot be waited for at the end of a drain. */
  stopping: AbortSignal
  leakAfterMs: number
  /** A call that was given up as leaked has ended well after all. Must not throw. */
  onLate?: (attempt: Attempt) => void
}

const NONE: (() => void)[] = []

/** One attempt at a message. What most handlers never ask for is made when it is. */
export class Attempt implements AttemptOfContext {
  readonly deps: AttemptDeps
  readonly delivery: Delivery
  readonly envelope: Envelope
  /** By `performance.now()`: its time limit counts from there. */
  startedAt: number
  /** What the handler gets, once it is decoded. */
  data: unknown
  /** Where no SDK records, but the trace is handed on. */
  readonly #received: Context | undefined
  #ending: AbortController | undefined
  #unfollow: (() => void)[] = NONE
  #outputs: Outputs | undefined
  #isLate = false
  #isOver = false

  constructor(deps: AttemptDeps, delivery: Delivery, envelope: Envelope, received?: Context) {
    this.deps = deps
    this.delivery = delivery
    this.envelope = envelope
    this.startedAt = delivery.startedAt
    this.#received = received
  }

  /** The one it goes on with, where there is a trace. */
  get traceId(): string | undefined {
    const span = this.#received ? trace.getSpanContext(this.#received) : this.delivery.previousAttempt
    return span && trace.isSpanContextValid(span) ? span.traceId : undefined
  }

  /** Of an ordered handler. */
  get claim(): Claim | undefined {
    return this.delivery.claim
  }

  /** Its time is over. */
  get isLate(): boolean {
    return this.#isLate
  }

  /** Made when it is asked for: it costs more than the rest of the attempt. */
  get signal(): AbortSignal {
    if (this.#ending) return this.#ending.signal
    const ending = (this.#ending = new AbortController())
    if (this.#isLate) ending.abort(timeoutError(this.deps))
    const { stopping } = this.deps
    this.#unfollow = (this.claim ? [stopping, this.claim.lost] : [stopping]).map((signal) => follow(signal, ending))
    return ending.signal
  }

  /** It has come to something; what it left running may go on, and is not told any more. */
  end(): void {
    for (const unfollow of this.#unfollow) unfollow()
  }

  isFlowing(): boolean {
    return this.deps.isFlowing()
  }

  expire(): void {
    this.#isLate = true
    this.#ending?.abort(timeoutError(this.deps))
  }

  /** @throws MeshError MESH_CLOSED, and those of `ctx.publish` */
  publish(contract: AnyContract, data: unknown, options: OutputOptions): void {
    if (this.#isOver)
      throw new MeshError(
        'MESH_CLOSED',
        `${contract.type} was published after its handler had returned; await what it waits for`,
      )
    this.#outputs ??= outputs(this.#outputsOptions())
    this.#outputs.add(contract, data, options)
  }

  forgetOutputs(): void {
    this.#outputs?.forget()
  }

  /** What the handler published; from now on it can publish nothing. */
  takeOutputs(): Outputs | undefined {
    this.#isOver = true
    return this.#outputs
  }

  get hasOutputs(): boolean {
    return this.#outputs !== undefined
  }

  #outputsOptions(): Parameters<typeof outputs>[0] {
    const { publisher, names, service, handler, def } = this.deps
    return {
      deps: publisher,
      names,
      service,
      handler,
      cause: this.envelope,
      // Where no SDK injects a trace, the incoming one is passed on as it is.
      traceparent: this.delivery.header(HEADER.traceparent),
      once: def.effects === 'once' ? this.#onceOptions() : undefined,
    }
  }

  #onceOptions(): OnceOptions {
    const { def, publisher, service, handler } = this.deps
    const { payload, via, deliveryCount, attempts, run } = this.delivery
    return {
      def,
      payload,
      isRepeat: via === 'lane' || deliveryCount > 1 || attempts > 1,
      onRepeated() {
        tellRepeated('marker')
        if (run) run.already = 'marker'
        publisher.metrics.repeated({ service, handler }, 'marker')
      },
    }
  }
}

/** The handler took longer than its time; `cause` where it threw because of that. */
export function timeoutError({ handler, service, def }: AttemptDeps, cause?: unknown): MeshError {
  const detail = `handler ${handler} of ${service} took longer than ${def.timeoutMs} ms`
  return new MeshError('MESH_HANDLER_TIMEOUT', detail, cause === undefined ? undefined : { cause })
}

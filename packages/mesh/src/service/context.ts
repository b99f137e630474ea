import type { Claim } from '../consume/ordered/claim.ts'
import type { DelayOptions } from '../delay/delay.ts'
import type { Contract } from '../message/contract.ts'
import type { Priority } from '../message/priority.ts'
import type { Logger } from '../observe/logger.ts'

/** What a handler may say of one of its outputs. */
export type OutputOptions = DelayOptions & {
  /**
   * At most one such event per key for as long as the stream holds it; one that is there already, by whomever, is fine.
   * Needs a keyed contract. @default false
   */
  once?: boolean
  /** Of a command that has priorities. @default 'normal' */
  priority?: Priority
}

/** Of a context, for the library itself: the attempt it is of. */
export const ATTEMPT: unique symbol = Symbol('attempt')

export type AttemptOfContext = {
  /** Takes back what was published so far, because the call is made again. */
  forgetOutputs: () => void
  /** Of an ordered handler: the right to work on the message's partition. */
  claim: Claim | undefined
  /** Whether the handler's breaker lets calls through. */
  isFlowing: () => boolean
}

/**
 * What a handler gets beside the data. `signal`, `headers`, `source`, `publish` and `log` are made when they are asked
 * for: take them by name, `({ id, publish })`; a copy by `...` is without them. Declared as a class, so that the compiler knows that too.
 */
export declare abstract class HandlerContext {
  /** The message's identity (`ce-id`): the same through redelivery, retry, redrive and replay. Give it to partners as idempotency key. */
  readonly id: string
  readonly type: string
  /** The contract version it was published with. */
  readonly version: number
  readonly key: string | undefined
  readonly correlationId: string
  readonly causationId: string | undefined
  /** 1 for the first attempt. A delivery that was handed back unstarted is none. */
  readonly attempt: number
  /**
   * Of a handler with `order: 'key'`: grows whenever another instance takes the key's partition over. Give it to what you
   * write to and have it refuse a lower one than it has seen: a process that was stopped and wakes is then harmless.
   * Undefined without order.
   */
  readonly fence: number | undefined
  /** Aborts when the handler's time is over, or the service stops and cannot wait longer. */
  get signal(): AbortSignal
  /** Headers as they came, names in lower case. */
  get headers(): Readonly<Record<string, string>>
  /** Where the event stands in its stream; the same in a retry. `stream` is the server's name. */
  get source(): {
    readonly stream: string
    /** Creation time of the stream, unix seconds: a re-created stream is another one. */
    readonly epoch: number
    readonly seq: number
    readonly subject: string
    readonly publishedAt: Date
  }
  /**
   * Publishes after the handler returns and before the message is acked, under an id derived from this message: a
   * redelivery publishes the same ids. Validated now.
   * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_INVALID_CONTRACT | MESH_INVALID_DELAY
   */
  publish<In, Out>(contract: Contract<In, Out>, data: In, options?: OutputOptions): void
  /** Carries the handler, the message id and the trace id. */
  get log(): Logger
}

/** What a handler with `order: 'key'` gets. */
export type OrderedContext = HandlerContext & { readonly fence: number }

import { isDeclared, isObject, isWhole, isWithin, shown } from '../given.ts'
import type { Logger } from '../observe/logger.ts'
import { isHandlerName } from '../service/service-names.ts'
import type { AnyRequest, ErrorSchemas, RequestContract } from './contract.ts'

/** How a service answers one kind of request. */
export type ReplyOptions = {
  /** How many requests this process works on at once. @default 64 */
  concurrency?: number
  /** How many more may wait here for their turn; one beyond that is answered MESH_BUSY at once. @default as `concurrency` */
  waiting?: number
  /**
   * From arrival, ms: a request whose turn has not come by then is answered MESH_BUSY; of one that runs `ctx.signal` aborts
   * and the requester is told, of a streaming one too. Shorter when the requester waits less. A function that runs
   * 10 s longer than this counts as lost; with half of `concurrency` lost the process ends. @default 60 000
   */
  timeoutMs?: number
}

/** What a reply's function gets beside the data. */
export type ReplyContext = {
  /** The request's identity (`ce-id`); the same when it is sent again. */
  readonly id: string
  readonly type: string
  /** The contract version it was asked with. */
  readonly version: number
  readonly correlationId: string
  readonly causationId: string | undefined
  /** Headers as they came, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** When nobody waits any more, by this machine's clock. */
  readonly deadline: Date
  /** Aborts at the deadline, when the requester of a stream is gone, or when the service stops and cannot wait longer. */
  readonly signal: AbortSignal
  /** Carries the service, the reply's name, the request's id and the trace id. */
  readonly log: Logger
}

export type ReplyHandler<Data, Given> = (data: Data, ctx: ReplyContext) => Given | Promise<Given>
export type ReplyStreamHandler<Data, Given> = (data: Data, ctx: ReplyContext) => AsyncIterable<Given>

/** An answer as declared data. */
export type ReplyDef = {
  readonly contract: AnyRequest
  readonly concurrency: number
  readonly waiting: number
  readonly timeoutMs: number
  // oxlint-disable-next-line typescript/no-explicit-any -- replies of one service take different payloads
  readonly handle: ReplyHandler<any, any> | ReplyStreamHandler<any, any>
}

const CONCURRENCY = 64
const TIMEOUT_MS = 60_000

/** Answers a request. Of a streaming one the function is an async generator: each `yield` is one part. */
export function reply<In, Out, Given, Answer, Errors extends ErrorSchemas>(
  contract: RequestContract<In, Out, Given, Answer, Errors, false>,
  options: ReplyOptions,
  handle: ReplyHandler<Out, Given>,
): ReplyDef
export function reply<In, Out, Given, Answer, Errors extends ErrorSchemas>(
  contract: RequestContract<In, Out, Given, Answer, Errors, false>,
  handle: ReplyHandler<Out, Given>,
): ReplyDef
export function reply<In, Out, Given, Answer, Errors extends ErrorSchemas>(
  contract: RequestContract<In, Out, Given, Answer, Errors, true>,
  options: ReplyOptions,
  handle: ReplyStreamHandler<Out, Given>,
): ReplyDef
export function reply<In, Out, Given, Answer, Errors extends ErrorSchemas>(
  contract: RequestContract<In, Out, Given, Answer, Errors, true>,
  handle: ReplyStreamHandler<Out, Given>,
): ReplyDef
export function reply(
  contract: AnyRequest,
  optionsOrHandle: ReplyOptions | ReplyDef['handle'],
  maybeHandle?: ReplyDef['handle'],
): ReplyDef {
  const options: ReplyOptions = typeof optionsOrHandle === 'function' ? {} : (optionsOrHandle ?? {})
  const handle = typeof optionsOrHandle === 'function' ? optionsOrHandle : maybeHandle
  const concurrency = options.concurrency ?? CONCURRENCY
  return Object.freeze({
    contract,
    concurrency,
    waiting: options.waiting ?? concurrency,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    handle: handle as ReplyDef['handle'],
  })
}

/** What is wrong with the replies of a service. */
export function replyFaults(replies: Readonly<Record<string, ReplyDef>>): string[] {
  const faults: string[] = []
  const byType = new Map<string, string[]>()
  for (const [name, def] of Object.entries(replies)) {
    const say = (fault: string): number => faults.push(`reply ${JSON.stringify(name)}: ${fault}`)
    if (!isHandlerName(name)) say('its name takes letters, digits and -, 48 characters at most')
    if (!isObject(def) || !isDeclared(def.contract, 'request')) {
      say('it is not what reply(…) returns for a request')
      continue
    }
    if (typeof def.handle !== 'function') say('it has no function')
    if (!isWhole(def.concurrency, 1, 10_000)) say(`concurrency is ${shown(def.concurrency)}; 1 to 10 000`)
    if (!isWhole(def.waiting, 0, 100_000)) say(`waiting is ${shown(def.waiting)}; 0 to 100 000`)
    if (!isWithin(def.timeoutMs, 1, MOST_TIMEOUT_MS)) say(`timeoutMs is ${shown(def.timeoutMs)}; 1 ms to a day`)
    byType.set(def.contract.type, [...(byType.get(def.contract.type) ?? []), name])
  }
  for (const [type, names] of byType)
    if (names.length > 1) faults.push(`request ${type} has ${names.length} replies (${names.join(', ')}); it has one`)
  return faults
}

/** The longest a request may take, ms. */
export const MOST_TIMEOUT_MS = 86_400_000

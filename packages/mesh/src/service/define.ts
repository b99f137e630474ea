import { orderFaults } from '../consume/ordered/order-faults.ts'
import { limitFaults, type RateLimit } from '../consume/rate-limit.ts'
import { faultsError } from '../errors.ts'
import { isDeclared, isObject, isWithin, LONGEST_TIMER_MS, shown } from '../given.ts'
import type { AnyContract, Contract, Topic } from '../message/contract.ts'
import { defaultRetry, horizonOf, type RetryPolicy } from '../failure/retry-policy.ts'
import { type ReplyDef, replyFaults } from '../request/reply.ts'
import { batchFaults, type BatchSize } from './batch-faults.ts'
import type { HandlerContext, OrderedContext } from './context.ts'
import { effectsFaults } from './effects-rules.ts'
import { inboxFaults } from './inbox-faults.ts'
import { isHandlerName, isServiceName } from './service-names.ts'

/** Where a handler that is new begins on a stream that has history. */
export type StartFrom = 'all' | 'new' | Date

export type HandlerOptions = {
  /** For a new handler on a stream with history; there is no default there. A Date is not in the future. */
  startFrom?: StartFrom
  /** @default 10 attempts, 0.5 s to a minute apart */
  retry?: RetryPolicy
  /** How many messages this process works on at once. @default 16 */
  concurrency?: number
  /**
   * `'key'`: events of one key are handled one after the other, in the order of the stream, over all instances; a failing
   * one holds its key and no other. Needs a contract with a key. @default none
   */
  order?: 'key'
  /** How fast this process starts messages. @default as fast as may be */
  rateLimit?: RateLimit
  /** After this `ctx.signal` aborts, ms; 10 s later the slot counts as leaked. @default 60 000 */
  timeoutMs?: number
  /**
   * Silence after which the server redelivers, ms; renewed while a message is here, so a slow handler runs once. With
   * `order: 'key'`: silence of an instance after which others take its partitions, whole seconds. @default 30 000, ordered 10 000
   */
  ackWaitMs?: number
  /**
   * `'once'`: what the handler publishes for one message is stored once, whatever is run again and however late, with a
   * marker in one atomic batch. All its outputs belong to one stream then, which keeps events as long as the handler's own
   * does, or longer. docs/how-to/handle-exactly-once.md
   * @default outputs are stored one by one under derived ids, which the server recognises for its duplicate window
   */
  effects?: 'once'
  /**
   * A message is recorded when the handler is done with it, for `keepMs`; one that is recorded is acked without calling the
   * handler again. At least twice `ackWaitMs`. For effects that are not idempotent; it is not exactly once.
   * docs/how-to/handle-exactly-once.md
   * @default none
   */
  inbox?: { keepMs: number }
  /**
   * Takes no events of its own, only what a replay sends to it: another release of a handler, or one that compares. Nothing of
   * what it publishes is stored, a message is tried once, and none becomes a dead letter; what became of each stands in its
   * run. What it does elsewhere is done. docs/how-to/replay-a-stream.md
   * @default false
   */
  shadow?: boolean
}

/** Of a handler that keeps the order of keys. */
export type OrderedHandlerOptions = HandlerOptions & {
  order: 'key'
  /**
   * What becomes of a key when one of its events is a dead letter. `'skip'`: it goes on without that one. `'hold-key'`: its later
   * events wait, however long and over restarts, until that letter is redriven with success, or discarded; then they come in
   * order. docs/how-to/keep-the-order-of-a-key.md
   * @default 'skip'
   */
  onDeadLetter?: 'hold-key' | 'skip'
}

export type Handler<Data> = (data: Data, ctx: HandlerContext) => void | Promise<void>

/** A handler with `order: 'key'`. */
export type OrderedHandler<Data> = (data: Data, ctx: OrderedContext) => void | Promise<void>

/** A subscription as declared data. */
export type HandlerDef = {
  readonly source: AnyContract | Topic
  readonly startFrom: StartFrom | undefined
  readonly retry: RetryPolicy
  readonly concurrency: number
  readonly rateLimit: RateLimit | undefined
  readonly order: 'key' | undefined
  readonly timeoutMs: number
  readonly ackWaitMs: number
  /** Of a handler that takes several messages in one call. */
  readonly batch?: BatchSize
  readonly effects?: 'once'
  readonly inbox?: { readonly keepMs: number }
  readonly shadow?: true
  readonly onDeadLetter?: 'hold-key' | 'skip'
  // oxlint-disable-next-line typescript/no-explicit-any -- handlers of one service take different payloads
  readonly handle: Handler<any>
}

/** A service as declared data: a name and its handlers. */
export type ServiceDef = {
  readonly name: string
  readonly version: string
  readonly handlers: Readonly<Record<string, HandlerDef>>
  readonly replies: Readonly<Record<string, ReplyDef>>
  readonly publishes: readonly AnyContract[]
  readonly retired: readonly string[]
}

/** Subscribes a handler to an event, a command or a topic. */
export function on<In, Out>(
  source: Contract<In, Out>,
  options: OrderedHandlerOptions,
  handle: OrderedHandler<Out>,
): HandlerDef
export function on<In, Out>(source: Contract<In, Out>, options: HandlerOptions, handle: Handler<Out>): HandlerDef
export function on<In, Out>(source: Contract<In, Out>, handle: Handler<Out>): HandlerDef
export function on(source: Topic, options: HandlerOptions, handle: Handler<unknown>): HandlerDef
export function on(source: Topic, handle: Handler<unknown>): HandlerDef
export function on(
  source: AnyContract | Topic,
  optionsOrHandle: HandlerOptions | Handler<never>,
  maybeHandle?: Handler<never> | OrderedHandler<never>,
): HandlerDef {
  const options: HandlerOptions & Partial<Pick<OrderedHandlerOptions, 'onDeadLetter'>> =
    typeof optionsOrHandle === 'function' ? {} : (optionsOrHandle ?? {})
  const handle = typeof optionsOrHandle === 'function' ? optionsOrHandle : maybeHandle
  return Object.freeze({
    source,
    startFrom: options.startFrom,
    retry: options.retry ?? defaultRetry,
    concurrency: options.concurrency ?? 16,
    rateLimit: options.rateLimit,
    order: options.order,
    timeoutMs: options.timeoutMs ?? 60_000,
    ...(options.effects === undefined ? {} : { effects: options.effects }),
    ...(options.inbox === undefined ? {} : { inbox: isObject(options.inbox) ? { ...options.inbox } : options.inbox }),
    ...(options.onDeadLetter === undefined ? {} : { onDeadLetter: options.onDeadLetter }),
    ...(options.shadow ? { shadow: true as const } : {}),
    ackWaitMs: options.ackWaitMs ?? (options.order === 'key' ? 10_000 : 30_000),
    handle: handle as Handler<unknown>,
  })
}

export type ServiceOptions = {
  handlers: Record<string, HandlerDef>
  /** Requests it answers. @default none */
  replies?: Record<string, ReplyDef>
  /** What it publishes outside or inside handlers, so that the streams exist before the first publish. */
  publishes?: readonly AnyContract[]
  /** Handlers that were here once and are gone for good: their durables are left alone. @default none */
  retired?: readonly string[]
  /** Goes into traces and dead letters. @default '0.0.0' */
  version?: string
}

/**
 * Declares a service. Nothing happens until `mesh.run(service)`.
 * @throws MeshError MESH_INVALID_SERVICE with every fault
 */
export function defineService(name: string, given: ServiceOptions): ServiceDef {
  const options = given ?? {}
  const faults = [...shapeFaults(options), ...serviceFaults(name, options)]
  if (faults.length > 0) throw faultsError('MESH_INVALID_SERVICE', `service ${shown(name)}`, faults)
  return Object.freeze({
    name,
    version: options.version ?? '0.0.0',
    handlers: Object.freeze({ ...options.handlers }),
    replies: Object.freeze({ ...options.replies }),
    publishes: [...(options.publishes ?? [])],
    retired: [...(options.retired ?? [])],
  })
}

/** What is no object, list or text where one is needed. */
function shapeFaults({ handlers, replies = {}, publishes = [], retired = [], version = '' }: ServiceOptions): string[] {
  const faults: string[] = []
  if (!isObject(handlers)) faults.push(`handlers is ${shown(handlers)}; an object of handlers by name`)
  if (!isObject(replies)) faults.push(`replies is ${shown(replies)}; an object of replies by name`)
  if (!isListOf(publishes, (one) => isDeclared(one, 'event', 'command')))
    faults.push('publishes is a list of what event(…) and command(…) return')
  if (!isListOf(retired, (one) => typeof one === 'string')) faults.push('retired is a list of names of handlers')
  if (typeof version !== 'string') faults.push(`version is ${shown(version)}; text`)
  return faults
}

const isListOf = (list: unknown, isOne: (member: unknown) => boolean): boolean =>
  Array.isArray(list) && list.every(isOne)

function serviceFaults(name: string, options: ServiceOptions): string[] {
  const faults: string[] = []
  if (!isServiceName(name)) faults.push('its name takes a-z, 0-9 and -, 48 characters at most')
  const handlers = isObject(options.handlers) ? options.handlers : {}
  const publishes = (Array.isArray(options.publishes) ? (options.publishes as readonly AnyContract[]) : []).filter(
    (one) => isDeclared(one, 'event', 'command'),
  )
  for (const [handler, def] of Object.entries(handlers)) {
    const say = (fault: string): number => faults.push(`handler ${JSON.stringify(handler)}: ${fault}`)
    if (!isHandlerName(handler)) say('its name takes letters, digits and -, 48 characters at most')
    for (const fault of handlerFaults(def, publishes)) say(fault)
  }
  const declared = Object.fromEntries(Object.entries(handlers).filter(([, def]) => isHandler(def)))
  return [...faults, ...sharedSourceFaults(declared), ...replyFaults(isObject(options.replies) ? options.replies : {})]
}

const isHandler = (def: HandlerDef): boolean => isObject(def) && isDeclared(def.source, 'event', 'command', 'topic')

function handlerFaults(def: HandlerDef, publishes: readonly AnyContract[]): string[] {
  if (!isObject(def)) return [`it is ${shown(def)}; give it what on(…) or onBatch(…) returns`]
  if (!isHandler(def)) return [`its source is ${shown(def.source)}; an event, a command or a topic`]
  const faults: string[] = []
  if (typeof def.handle !== 'function') faults.push('it has no function')
  faults.push(...startFaults(def), ...limitFaults(def), ...batchFaults(def))
  for (const [name, least] of [['timeoutMs', 1] as const, ['ackWaitMs', 300] as const])
    if (!isWithin(def[name], least, LONGEST_TIMER_MS))
      faults.push(`${name} is ${shown(def[name])}; ${least} to ${LONGEST_TIMER_MS}`)
  faults.push(...orderFaults(def), ...retryFaults(def), ...shadowFaults(def))
  return [...faults, ...effectsFaults(def, publishes), ...inboxFaults(def)]
}

function shadowFaults({ shadow, order, effects, inbox, startFrom }: HandlerDef): string[] {
  if (!shadow) return []
  const without = Object.entries({ order, effects, inbox, startFrom }).filter(([, value]) => value !== undefined)
  return without.map(([name]) => `it is a shadow, which takes no events and publishes none; leave ${name} out`)
}

function retryFaults({ retry, source: { stream } }: HandlerDef): string[] {
  if (!isObject(retry)) return [`retry is ${shown(retry)}; a policy such as untilBack or retry({ attempts: 3 })`]
  const faults: string[] = []
  const { attempts, forMs, minDelayMs, maxDelayMs, factor } = retry
  if (!isWithin(attempts, 1)) faults.push(`retry.attempts is ${shown(attempts)}; at least 1`)
  if (!isWithin(forMs, 0)) faults.push(`retry.forMs is ${shown(forMs)}; 0 or more`)
  if (!isWithin(factor, 1)) faults.push(`retry.factor is ${shown(factor)}; at least 1`)
  if (!isWithin(minDelayMs, 0) || !isWithin(maxDelayMs, minDelayMs))
    faults.push('retry needs 0 <= minDelayMs <= maxDelayMs')
  if (faults.length > 0) return faults
  const horizonMs = horizonOf(retry)
  if (horizonMs <= stream.maxAgeMs) return []
  return [
    `it retries for up to ${horizonMs} ms, but stream ${stream.name} forgets after ${stream.maxAgeMs} ms; lower retry.forMs or raise maxAgeMs`,
  ]
}

/** From a time to come a server begins with the next event there is, which is before that time. */
function startFaults({ startFrom }: HandlerDef): string[] {
  if (startFrom === undefined || startFrom === 'all' || startFrom === 'new') return []
  if (!(startFrom instanceof Date)) return [`startFrom is ${shown(startFrom)}; 'all', 'new' or a Date`]
  if (Number.isNaN(startFrom.getTime())) return ['startFrom is no valid date']
  if (startFrom.getTime() <= Date.now()) return []
  return [`startFrom is ${startFrom.toISOString()}, which is in the future; say 'new' and start it then`]
}

/** Two handlers of one service on one command would each take part of the work. */
function sharedSourceFaults(handlers: Record<string, HandlerDef>): string[] {
  const byType = new Map<string, string[]>()
  for (const [handler, { source, shadow }] of Object.entries(handlers))
    if (source.kind === 'command' && !shadow) byType.set(source.type, [...(byType.get(source.type) ?? []), handler])
  return [...byType]
    .filter(([, names]) => names.length > 1)
    .map(([type, names]) => `command ${type} has ${names.length} handlers (${names.join(', ')}); a command has one`)
}

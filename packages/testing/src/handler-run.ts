import {
  type AnyContract,
  type Contract,
  type DelayOptions,
  type HandlerContext,
  type HandlerDef,
  type Logger,
  MeshError,
  type OutputOptions,
  silentLogger,
} from '@malha/mesh'
import { keyOf, published, received } from './contract-data.ts'
import { type TestClock, testClock } from './test-clock.ts'

/** What a handler's context says in a specification. */
export type Given = {
  /** @default 'message-1' */
  id?: string
  /** Needed by a handler of a topic; else the contract's. */
  type?: string
  /** The version the message was published with. @default the contract's */
  version?: number
  /** @default the contract's key of the data */
  key?: string
  /** @default 1 */
  attempt?: number
  /** Of a handler with `order: 'key'`. @default 1 there */
  fence?: number
  /** Names are lowered. @default none */
  headers?: Record<string, string>
  /** @default the id */
  correlationId?: string
  causationId?: string
  /** Where the event stands in its stream. */
  source?: Partial<HandlerContext['source']>
  /** `ctx.signal` aborts when it passes the handler's `timeoutMs`; it dates the event. @default one that stands still */
  clock?: TestClock
  /** @default silent */
  log?: Logger
}

/** One output, as the wire carries it, and when it is to come. */
export type PublishedOutput = Required<Pick<OutputOptions, 'once' | 'priority'>> & {
  type: string
  data: unknown
} & DelayOptions

/** What a handler did. */
export type HandlerResult = { published: PublishedOutput[]; error: unknown; failed: boolean }

/** Runs a handler once. Never rejects: what was thrown is part of the result. */
export async function runHandler(handler: HandlerDef, data: unknown, given: Given): Promise<HandlerResult> {
  const clock = given.clock ?? testClock()
  const timeUp = new AbortController()
  const stop = clock.after(handler.timeoutMs, () =>
    timeUp.abort(new MeshError('MESH_HANDLER_TIMEOUT', `the handler ran longer than ${handler.timeoutMs} ms`)),
  )
  const outputs: (PublishedOutput | Promise<PublishedOutput>)[] = []
  try {
    const input = await inputOf(handler.source, data, given)
    const handle = handler.batch?.gather() ?? handler.handle
    await handle(input, contextOf({ handler, given, clock, input, signal: timeUp.signal, outputs }))
    return {
      published: await Promise.all(outputs.map((sent) => Promise.resolve(sent))),
      error: undefined,
      failed: false,
    }
  } catch (error) {
    return { published: [], error: timeUp.signal.aborted ? timeUp.signal.reason : error, failed: true }
  } finally {
    stop()
  }
}

async function inputOf(source: HandlerDef['source'], data: unknown, given: Given): Promise<unknown> {
  return source.kind === 'topic' ? data : received(source, data, given.version ?? source.version)
}

type Run = {
  handler: HandlerDef
  given: Given
  clock: TestClock
  input: unknown
  signal: AbortSignal
  outputs: (PublishedOutput | Promise<PublishedOutput>)[]
}

function contextOf({ handler, given, clock, input, signal, outputs }: Run): HandlerContext {
  const { source } = handler
  const contract = source.kind === 'topic' ? undefined : source
  const type = given.type ?? contract?.type
  if (type === undefined) throw new TypeError('specification: a handler of a topic needs given({ type })')
  const id = given.id ?? 'message-1'
  return {
    id,
    type,
    version: given.version ?? contract?.version ?? 1,
    key: given.key ?? (contract && keyOf(contract, input)),
    correlationId: given.correlationId ?? id,
    causationId: given.causationId,
    attempt: given.attempt ?? 1,
    fence: given.fence ?? (handler.order === 'key' ? 1 : undefined),
    signal,
    headers: lowered(given.headers ?? {}),
    source: { stream: source.stream.name, epoch: 1, seq: 1, subject: type, publishedAt: clock.date(), ...given.source },
    publish<In, Out>(output: Contract<In, Out>, value: In, options: OutputOptions = {}) {
      const sent = outputOf(output, value, options)
      // Awaited once the handler has returned; until then a refusal must not count as unhandled.
      if (sent instanceof Promise) sent.catch(() => undefined)
      outputs.push(sent)
    },
    log: given.log ?? silentLogger,
  }
}

/** @throws MeshError as `ctx.publish` does */
export function outputOf(
  contract: AnyContract,
  value: unknown,
  options: OutputOptions,
): PublishedOutput | Promise<PublishedOutput> {
  const { once = false, priority = 'normal', deliverIn, deliverAt, delayKey } = options
  const later = {
    ...(deliverIn !== undefined && { deliverIn }),
    ...(deliverAt && { deliverAt }),
    ...(delayKey !== undefined && { delayKey }),
  }
  const refuse = (why: string): never => {
    throw new MeshError('MESH_INVALID_CONTRACT', `${contract.type} ${why}`)
  }
  if (once && !contract.key) refuse('has no key, so it cannot be published once')
  if (once && contract.priorities) refuse('has priorities, so it cannot be published once')
  if (priority !== 'normal' && !contract.priorities) refuse('has no priorities')
  const named = (data: unknown): PublishedOutput => ({ type: contract.type, data, once, priority, ...later })
  const sent = published(contract, value)
  return sent instanceof Promise ? sent.then(named) : named(sent)
}

function lowered(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

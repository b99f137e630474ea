import {
  type AnyContract,
  type Contract,
  type HandlerContext,
  type HandlerDef,
  type Logger,
  MeshError,
  type OutputOptions,
  silentLogger,
} from '@malha/mesh'
import { keyOf, received, wireForm } from './contract-data.ts'
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

/** One output, as the wire carries it. */
export type PublishedOutput = { type: string; data: unknown; once: boolean }

/** What a handler did. */
export type HandlerResult = { published: PublishedOutput[]; error: unknown; failed: boolean }

/** Runs a handler once. Never rejects: what was thrown is part of the result. */
export async function runHandler(handler: HandlerDef, data: unknown, given: Given): Promise<HandlerResult> {
  const clock = given.clock ?? testClock()
  const timeUp = new AbortController()
  const stop = clock.after(handler.timeoutMs, () =>
    timeUp.abort(new MeshError('MESH_HANDLER_TIMEOUT', `the handler ran longer than ${handler.timeoutMs} ms`)),
  )
  const published: PublishedOutput[] = []
  try {
    const input = handler.source.kind === 'topic' ? data : await received(handler.source, data, given.version)
    const context = contextOf({ handler, given, clock, input, signal: timeUp.signal, published })
    await handler.handle(input, context)
    return { published, error: undefined, failed: false }
  } catch (error) {
    return { published: [], error, failed: true }
  } finally {
    stop()
  }
}

type Run = {
  handler: HandlerDef
  given: Given
  clock: TestClock
  input: unknown
  signal: AbortSignal
  published: PublishedOutput[]
}

function contextOf({ handler, given, clock, input, signal, published }: Run): HandlerContext {
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
    signal,
    headers: lowered(given.headers ?? {}),
    source: { stream: source.stream.name, epoch: 1, seq: 1, subject: type, publishedAt: clock.date(), ...given.source },
    publish<In, Out>(output: Contract<In, Out>, value: In, options: OutputOptions = {}) {
      published.push(outputOf(output, value, options))
    },
    log: given.log ?? silentLogger,
  }
}

/** @throws MeshError as `ctx.publish` does */
export function outputOf(contract: AnyContract, data: unknown, options: OutputOptions): PublishedOutput {
  const { wire, output } = wireForm(contract, data)
  const key = keyOf(contract, output)
  if (options.once && key === undefined)
    throw new MeshError('MESH_INVALID_KEY', `${contract.type} has no key, so it cannot be published once`)
  return { type: contract.type, data: wire, once: options.once ?? false }
}

function lowered(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

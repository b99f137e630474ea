/**
 * Handlers that take several messages in one call. Each message stays a delivery of its own (attempts, retry, dead letter,
 * outputs, span); only the call of the user's function is shared.
 *
 * B1  A message is in one batch at a time, and ends as that batch's call says of it: failed, or done.
 * B2  What a call throws fails no innocent message: the batch is called again message by message, in order. Only where
 *     that could tell nothing (the other side named a time or refused the connection, or the call took too long) all fail
 *     with it. Once the breaker is open, what is left of them was not tried.
 *     A message whose time is over while it waits for others leaves alone.
 * B3  Nothing is called while it is in doubt whether a message's partition is this instance's, looked at right before each
 *     call: a message waits for others after the look at its own start, and the process may have been stopped meanwhile.
 * B4  Messages of one stream for one handler of one mesh: a declaration may be run by several (`gather`).
 */
import { context as otelContext, type Span, trace } from '@opentelemetry/api'
import { MeshError } from '../errors.ts'
import { NotTried } from '../failure/breaker.ts'
import { isWhole } from '../given.ts'
import { classify, isConnectionRefused } from '../failure/classify.ts'
import type { Contract } from '../message/contract.ts'
import { batchSpan, failSpan } from '../observe/spans.ts'
import { ATTEMPT, type AttemptOfContext, type HandlerContext } from './context.ts'
import { type Handler, type HandlerDef, type HandlerOptions, on } from './define.ts'

/** One message of a batch: its data, what a handler's context says of it, and a word for its failure. */
export type BatchMessage<Data> = Omit<HandlerContext, 'signal' | 'log'> & {
  readonly data: Data
  /** Only this message failed: it is retried or becomes a dead letter as if its own handler had thrown `error`. The last word counts. */
  fail(error: unknown): void
}

/** What a batch handler gets beside the messages. */
export type BatchContext = Pick<HandlerContext, 'signal' | 'log'>

/** Returns when all is done but what was said to have failed. Messages come in the order of their stream. */
export type BatchHandler<Data> = (batch: readonly BatchMessage<Data>[], ctx: BatchContext) => void | Promise<void>

export type BatchOptions = Omit<HandlerOptions, 'order'> & {
  /** What becomes of a key when one of its events is a dead letter, where the order of keys is kept. @default 'skip' */
  onDeadLetter?: 'hold-key' | 'skip'
  /** Messages in a batch at most, 1 to 500. */
  size: number
  /** How long the first message of a batch waits for others, ms; less than `timeoutMs`. @default 100 */
  maxAgeMs?: number
  /** How many messages this process works on at once, in all batches together. @default twice `size` */
  concurrency?: number
  /**
   * `'key'`: as for `on`, so a batch has at most one message of a key. `'none'`: a failing message is overtaken by later ones
   * of its key. @default 'key' for a contract with a key and without priorities
   */
  order?: 'key' | 'none'
}

type Waiting = {
  data: unknown
  ctx: HandlerContext & { [ATTEMPT]?: AttemptOfContext }
  /** The message's own. */
  span: Span | undefined
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * Subscribes a handler that takes several messages in one call: for a bulk insert, or a partner that takes many at once.
 * `timeoutMs` counts from a message's arrival in its batch.
 */
export function onBatch<In, Out>(
  source: Contract<In, Out>,
  given: BatchOptions,
  handle: BatchHandler<Out>,
): HandlerDef {
  const usual = source?.key && !source.priorities ? 'key' : 'none'
  const { size, maxAgeMs = 100, order = usual, ...options } = given ?? {}
  const gather = (): Handler<Out> => gathering(source?.type, { size, maxAgeMs }, handle as BatchHandler<unknown>)
  const ordered = order === 'none' ? {} : { order }
  const def = on(
    source,
    { ...(isWhole(size, 1) && { concurrency: Math.min(1000, 2 * size) }), ...options, ...ordered },
    gather(),
  )
  return Object.freeze({ ...def, batch: { size, maxAgeMs, gather } })
}

/** Upholds B4. */
function gathering(
  type: string,
  { size, maxAgeMs }: { size: number; maxAgeMs: number },
  handle: BatchHandler<unknown>,
): Handler<unknown> {
  const open = new Map<string, { waiting: Waiting[]; timer: NodeJS.Timeout }>()
  const close = (stream: string): Waiting[] => {
    const batch = open.get(stream)
    open.delete(stream)
    clearTimeout(batch?.timer)
    return batch?.waiting ?? []
  }
  // What the call throws has reached its messages.
  const flush = (stream: string): void => void callTogether(handle, close(stream).sort(byStream), type)
  const leave = (stream: string, one: Waiting): void => {
    const waiting = open.get(stream)?.waiting ?? []
    if (!waiting.includes(one)) return
    waiting.splice(waiting.indexOf(one), 1)
    if (waiting.length === 0) close(stream)
    one.reject(one.ctx.signal.reason)
  }
  return async (data, ctx) => {
    const { stream } = ctx.source
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const one: Waiting = { data, ctx, span: trace.getActiveSpan(), resolve, reject }
    const batch = open.get(stream) ?? { waiting: [], timer: setTimeout(() => flush(stream), maxAgeMs) }
    open.set(stream, batch)
    batch.waiting.push(one)
    const onAbort = (): void => leave(stream, one)
    ctx.signal.addEventListener('abort', onAbort)
    if (batch.waiting.length >= size) flush(stream)
    await promise.finally(() => ctx.signal.removeEventListener('abort', onAbort))
  }
}

/** They joined as they were started: one that is tried again after later ones. */
const byStream = ({ ctx: { source: a } }: Waiting, { ctx: { source: b } }: Waiting): number =>
  a.epoch - b.epoch || a.seq - b.seq

/** Upholds B1, B2 and B3. Never throws. */
async function callTogether(handle: BatchHandler<unknown>, all: readonly Waiting[], type: string): Promise<void> {
  const alive = all.filter(({ ctx, reject }) => {
    if (ctx.signal.aborted) reject(ctx.signal.reason)
    return !ctx.signal.aborted
  })
  if (alive.length === 0) return
  const inDoubt = alive.filter(({ ctx }) => ctx[ATTEMPT]?.claim?.isSure === false)
  if (inDoubt.length > 0) {
    await Promise.all(inDoubt.map(untilSure))
    return callTogether(handle, alive, type)
  }
  try {
    const failures = await call(handle, alive, type)
    for (const [index, { resolve, reject }] of alive.entries())
      if (failures.has(index)) reject(failures.get(index))
      else resolve()
  } catch (error) {
    const isPartners = classify(error).delayMs !== undefined || isConnectionRefused(error)
    const tellsOfAll = isPartners || alive.some(({ ctx }) => ctx.signal.aborted)
    if (alive.length === 1 || tellsOfAll) for (const { reject } of alive) reject(error)
    else await callApart(handle, alive, type)
  }
}

/** Resolves when its partition is this instance's for sure, or its signal has aborted. */
async function untilSure({ ctx: { signal, [ATTEMPT]: attempt } }: Waiting): Promise<void> {
  const aborted = Promise.withResolvers<void>()
  const onAbort = (): void => aborted.resolve()
  signal.addEventListener('abort', onAbort)
  // It rejects when the partition is lost, and then the signal has aborted.
  await Promise.race([attempt?.claim?.confirm().catch(() => undefined), aborted.promise])
  signal.removeEventListener('abort', onAbort)
}

async function callApart(handle: BatchHandler<unknown>, all: readonly Waiting[], type: string): Promise<void> {
  for (const { ctx } of all) ctx[ATTEMPT]?.forgetOutputs()
  for (const one of all)
    if (one.ctx[ATTEMPT]?.isFlowing() === false) one.reject(new NotTried())
    else await callTogether(handle, [one], type)
}

/** What a context says of its message; its other parts belong to the batch. */
function saidBy(ctx: HandlerContext): Omit<HandlerContext, 'signal' | 'log' | 'publish'> {
  const { id, type, version, key, correlationId, causationId, attempt, fence, headers, source } = ctx
  return { id, type, version, key, correlationId, causationId, attempt, fence, headers, source }
}

/** One call of the user's function, in a span of its own that is linked to and from its messages. */
async function call(
  handle: BatchHandler<unknown>,
  waiting: readonly Waiting[],
  type: string,
): Promise<Map<number, unknown>> {
  const failures = new Map<number, unknown>()
  let isOver = false
  const check = (ctx: HandlerContext, what: string): void => {
    if (isOver) throw new MeshError('MESH_CLOSED', `message ${ctx.id} ${what} after its batch had returned`)
  }
  const batch = waiting.map(({ data, ctx }, index): BatchMessage<unknown> => ({
    ...saidBy(ctx),
    data,
    publish(...output) {
      check(ctx, 'published')
      ctx.publish(...output)
    },
    fail(error) {
      check(ctx, 'was failed')
      failures.set(index, error)
    },
  }))
  const first = waiting[0]!.ctx
  const { span, context } = batchSpan(
    type,
    waiting.map(({ span: own }) => own),
  )
  try {
    const signal = AbortSignal.any(waiting.map(({ ctx }) => ctx.signal))
    await otelContext.with(context, async () => await handle(batch, { signal, log: first.log }))
    return failures
  } catch (error) {
    failSpan(span, error)
    throw error
  } finally {
    isOver = true
    span.end()
  }
}

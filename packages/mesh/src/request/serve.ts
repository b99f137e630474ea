/**
 * The life of one request at its responder: read, call, answer.
 *
 * A1  Whoever waits is answered, once, whatever the user's function does: also when it throws, takes too long, or gives
 *     something that does not fit. What a stream sent before stays sent.
 * A2  Nothing of an error but a contract's own reaches the requester: its words may hold secrets. The log has it all.
 */
import { context as otelContext, type Span, trace } from '@opentelemetry/api'
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { Envelope } from '../message/envelope.ts'
import { decodePayload } from '../message/validate.ts'
import { type Logger, withFields } from '../observe/logger.ts'
import { type Answer, answerOf, checkFits, numbered, type Refusal } from './answer.ts'
import { refusalAnswer, type ReplyOutcome, TooLarge } from './answer.ts'
import type { Job } from './job.ts'
import { encodePayload, errorPayload, replyPayload } from './payload.ts'
import type { ReplyContext, ReplyDef, ReplyHandler, ReplyStreamHandler } from './reply.ts'
import { ReplyError } from './reply-error.ts'
import type { ReplySession } from './reply-session.ts'
import { requestEnvelope } from './request-envelope.ts'
import { failRequestSpan, replySpan } from './spans.ts'

export type ServeDeps = {
  nc: NatsConnection
  log: Logger
  service: string
  /** Name of the reply in its service. */
  name: string
  def: ReplyDef
  /** Aborts what cannot be waited for at the end of a drain. */
  stopping: AbortSignal
}

export type Served = {
  outcome: ReplyOutcome
  /** What the requester was told of an error. */
  said: string
  traceId: string | undefined
  /** Resolves when the user's function has come back, which may be after the answer. */
  settled: Promise<unknown>
}

/** Answers one request. Never throws. */
export async function serve(deps: ServeDeps, job: Job): Promise<Served> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(tooLong(deps, job)), Math.max(0, job.expiresAt - performance.now()))
  const signal = AbortSignal.any([limit.signal, deps.stopping, ...(job.session ? [job.session.signal] : [])])
  const served = await readAndCall(deps, job, signal)
  clearTimeout(timer)
  return served
}

async function readAndCall(deps: ServeDeps, job: Job, signal: AbortSignal): Promise<Served> {
  const { contract } = deps.def
  let envelope: Envelope
  let data: unknown
  try {
    envelope = requestEnvelope(contract, job.request)
    // A schema may be asynchronous, and not come back.
    data = await unlessAborted(decodePayload(contract, envelope, job.request.payload), signal)
  } catch (error) {
    const isOver = signal.aborted && error === signal.reason
    const { refusal, outcome } = isOver
      ? await refusalOf(deps, { error, id: '', job, signal })
      : { refusal: unfit(error), outcome: 'invalid' as const }
    deps.log.warn({ code: refusal.code, err: error }, `a request of ${contract.type} cannot be read`)
    if (outcome !== 'cancelled') job.send(refusalAnswer(contract, refusal))
    return { outcome, said: refusal.said, traceId: undefined, settled: Promise.resolve() }
  }
  const { headers, subject } = job.request
  const { span, context } = replySpan(envelope, { headers, subject, service: deps.service })
  const served = await otelContext.with(context, () => call(deps, job, { envelope, data, span, signal }))
  span.end()
  return served
}

type CallParts = { envelope: Envelope; data: unknown; span: Span; signal: AbortSignal }

async function call(deps: ServeDeps, job: Job, { envelope, data, span, signal }: CallParts): Promise<Served> {
  const { contract } = deps.def
  const { traceId } = span.spanContext()
  const ctx = contextOf(deps, job, { envelope, signal, traceId })
  const settled = Promise.withResolvers<void>()
  try {
    const answer = job.session
      ? await streamParts(deps, job.session, { ctx, data, job, settled: settled.resolve })
      : await single(deps, { ctx, data, settled: settled.resolve })
    job.send(answer)
    return { outcome: 'ok', said: '', traceId, settled: settled.promise }
  } catch (error) {
    // What a function throws because it was told to stop is not its own fault.
    const cause = signal.aborted ? signal.reason : error
    failRequestSpan(span, cause)
    const { refusal, outcome } = await refusalOf(deps, { error: cause, id: envelope.id, job, signal })
    if (outcome !== 'cancelled') job.send(refusalAnswer(contract, refusal))
    tell(ctx.log, { outcome, refusal, error, name: deps.name })
    return { outcome, said: refusal.said, traceId, settled: settled.promise }
  }
}

type SingleParts = { ctx: ReplyContext; data: unknown; settled: () => void }

async function single(deps: ServeDeps, { ctx, data, settled }: SingleParts): Promise<Answer> {
  const { contract, handle } = deps.def
  const called = (async () => await (handle as ReplyHandler<unknown, unknown>)(data, ctx))()
  called.then(settled, settled)
  const given = await unlessAborted(called, ctx.signal)
  const payload = await unlessAborted(encodePayload(replyPayload(contract), given), ctx.signal)
  const answer = answerOf(contract, 'value', payload)
  checkFits(deps.nc, contract, answer)
  return answer
}

type StreamParts = SingleParts & { job: Job }

/** Sends the parts as they come, and gives the end. */
async function streamParts(
  deps: ServeDeps,
  session: ReplySession,
  { ctx, data, job, settled }: StreamParts,
): Promise<Answer> {
  const { contract, handle } = deps.def
  let parts: AsyncIterator<unknown> | undefined
  let pending: Promise<unknown> = Promise.resolve()
  try {
    parts = (handle as ReplyStreamHandler<unknown, unknown>)(data, ctx)[Symbol.asyncIterator]()
    for (;;) {
      const next = parts.next()
      pending = next
      const step = await unlessAborted(next, ctx.signal)
      if (step.done === true) break
      await unlessAborted(session.room(), ctx.signal)
      const payload = await unlessAborted(encodePayload(replyPayload(contract), step.value), ctx.signal)
      const answer = answerOf(contract, 'part', payload)
      checkFits(deps.nc, contract, answer)
      job.send(numbered(answer, session.next()))
    }
    return numbered(answerOf(contract, 'end'), session.sent)
  } finally {
    // A generator that is inside a step comes to its end only after it; one that waits at a `yield` ends now.
    const ended = pending.then(
      () => parts?.return?.(),
      () => undefined,
    )
    ended.then(settled, settled)
  }
}

/** `pending`, or the reason of the signal: whichever is first. */
async function unlessAborted<T>(pending: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([pending, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

type ContextParts = { envelope: Envelope; signal: AbortSignal; traceId: string }

function contextOf(deps: ServeDeps, job: Job, { envelope, signal, traceId }: ContextParts): ReplyContext {
  const isTraced = trace.getActiveSpan()?.isRecording() === true
  return {
    id: envelope.id,
    type: envelope.type,
    version: envelope.version,
    correlationId: envelope.correlationId,
    causationId: envelope.causationId,
    headers: job.request.headers,
    deadline: new Date(Date.now() + job.expiresAt - performance.now()),
    signal,
    log: withFields(deps.log, { requestId: envelope.id, ...(isTraced ? { trace_id: traceId } : {}) }),
  }
}

/** A request that was never fit to be begun: the requester may know what is wrong with it. */
function unfit(error: unknown): Refusal {
  const code = error instanceof MeshError ? error.code : 'MESH_UNDECODABLE'
  const said = error instanceof MeshError ? error.message : 'it cannot be read'
  return { number: code === 'MESH_NEWER_VERSION' ? 501 : 400, code, said }
}

/** Upholds A2. */
async function refusalOf(
  deps: ServeDeps,
  { error, id, job, signal }: { error: unknown; id: string; job: Job; signal: AbortSignal },
): Promise<{ refusal: Refusal; outcome: ReplyOutcome }> {
  const { service, def, name } = deps
  const failed = (number: Refusal['number'], said: string): Refusal => ({ number, code: 'MESH_REQUEST_FAILED', said })
  const unsaid = failed(500, `the reply failed; the log of ${service} says why, under the id ${id}`)
  if (job.session?.signal.aborted === true) return { outcome: 'cancelled', refusal: failed(503, 'nobody waits for it') }
  if (deps.stopping.aborted)
    return { outcome: 'failed', refusal: failed(503, `an instance of ${service} stopped before it was done`) }
  if (error instanceof TooLong) return { outcome: 'late', refusal: failed(504, `${name} of ${service} took too long`) }
  // An error of another contract, from a request of its own, is a failure like any.
  const isOwn = error instanceof ReplyError && error.type === def.contract.type
  const named = isOwn && errorPayload(def.contract, error.code)
  const tooLarge = ({ code, message }: TooLarge): { refusal: Refusal; outcome: ReplyOutcome } => ({
    outcome: 'too-large',
    refusal: { number: 500, code, said: message },
  })
  if (named) {
    try {
      const payload = await unlessAborted(encodePayload(named, error.data), signal)
      const refusal: Refusal = { number: 422, code: error.code, said: error.code, payload }
      checkFits(deps.nc, def.contract, refusalAnswer(def.contract, refusal))
      return { outcome: 'refused', refusal }
    } catch (unfitting) {
      if (signal.aborted && unfitting === signal.reason)
        return await refusalOf(deps, { error: unfitting, id, job, signal })
      if (unfitting instanceof TooLarge) return tooLarge(unfitting)
      deps.log.error({ err: unfitting }, `${name} threw ${error.code} with data that does not fit its contract`)
      return { outcome: 'failed', refusal: unsaid }
    }
  }
  if (error instanceof TooLarge) return tooLarge(error)
  return { outcome: 'failed', refusal: unsaid }
}

function tell(
  log: Logger,
  { outcome, refusal, error, name }: { outcome: ReplyOutcome; refusal: Refusal; error: unknown; name: string },
): void {
  const fields = { code: refusal.code, err: error }
  if (outcome === 'failed' || outcome === 'too-large') log.error(fields, `${name} did not answer: ${outcome}`)
  else if (outcome === 'late') log.warn(fields, `${name} took longer than anybody waited`)
  else log.debug(fields, `${name}: ${outcome}`)
}

class TooLong extends MeshError {}

const tooLong = (deps: ServeDeps, { timeoutMs }: Job): TooLong =>
  new TooLong('MESH_HANDLER_TIMEOUT', `reply ${deps.name} of ${deps.service} took longer than ${timeoutMs} ms`)

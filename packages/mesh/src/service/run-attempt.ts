import { context as otelContext, trace } from '@opentelemetry/api'
import type { Delivery } from '../consume/delivery.ts'
import type { Claim } from '../consume/ordered/claim.ts'
import { MeshError } from '../errors.ts'
import { covers } from '../message/contract.ts'
import { type Envelope, readEnvelope } from '../message/envelope.ts'
import { isSubjectOf } from '../message/key.ts'
import { decodeEvent } from '../message/decode-event.ts'
import { type Logger, withFields } from '../observe/logger.ts'
import { failSpan, linkable, processSpan, tellRepeated } from '../observe/spans.ts'
import { tellStage } from '../observe/stages.ts'
import type { PublisherDeps } from '../publish/publisher.ts'
import type { Names } from '../topology/names.ts'
import { ATTEMPT, type AttemptOfContext, type HandlerContext } from './context.ts'
import type { HandlerDef } from './define.ts'
import { type Inbox, recordHandled, wasHandled } from './inbox.ts'
import { type OnceOptions, outputs, passedOn } from './outputs.ts'

export type AttemptDeps = {
  publisher: PublisherDeps
  names: Names
  log: Logger
  service: string
  handler: string
  def: HandlerDef
  /** Takes part in every call of the user's function: the breaker. */
  guard: <T>(call: () => Promise<T>) => Promise<T>
  /** Whether it lets calls through. */
  isFlowing: () => boolean
  /** Aborts what cannot be waited for at the end of a drain. */
  stopping: AbortSignal
  leakAfterMs: number
}

/** What a delivered message is: for this handler, another type's event that shares its filter, or unreadable. */
export type Identity =
  | { kind: 'ours'; envelope: Envelope }
  | { kind: 'foreign' }
  | { kind: 'unreadable'; error: unknown }

/** How an attempt ended. A `leaked` one never came back; its function may still be running. */
export type AttemptOutcome = { kind: 'done' } | { kind: 'failed'; error: unknown } | { kind: 'leaked' }

/** What a message says of itself, or why it cannot be read. */
export function identify(deps: AttemptDeps, delivery: Delivery): Identity {
  const { source } = deps.def
  // A topic of everything takes the markers in its stream too.
  if (source.kind === 'topic' && covers(deps.names.doneMarkers(source.stream), delivery.source.subject))
    return { kind: 'foreign' }
  try {
    const envelope = readEnvelope(delivery.headers)
    const isOurs = source.kind === 'topic' ? covers(source.pattern, envelope.type) : envelope.type === source.type
    if (isOurs) return { kind: 'ours', envelope }
    const subject = deps.names.strip(delivery.source.subject)
    const isForeign = source.kind === 'topic' ? isSubjectOf(envelope.type, subject) : !isSubjectOf(source.type, subject)
    if (isForeign) return { kind: 'foreign' }
    return { kind: 'unreadable', error: unknownType(envelope.type, deps.def) }
  } catch (error) {
    return { kind: 'unreadable', error }
  }
}

/** One attempt: decode, call the handler inside its span, publish its outputs. Never throws. */
export async function runAttempt(deps: AttemptDeps, delivery: Delivery, envelope: Envelope): Promise<AttemptOutcome> {
  const { span, context } = processSpan({
    envelope,
    headers: delivery.headers,
    durable: deps.names.durable(deps.service, deps.handler),
    subject: delivery.source.subject,
    stream: delivery.source.stream,
    seq: delivery.source.seq,
    attempt: delivery.attempts,
    claim: delivery.claim,
    deliveryCount: delivery.deliveryCount,
    publishedAt: delivery.source.publishedAt,
    previous: delivery.previousAttempt,
  })
  delivery.previousAttempt = linkable(span.spanContext())
  const outcome = await otelContext.with(context, () => attempt(deps, delivery, envelope))
  if (outcome.kind === 'failed') failSpan(span, outcome.error)
  if (outcome.kind === 'leaked') failSpan(span, timeoutError(deps))
  span.end()
  return outcome
}

async function attempt(deps: AttemptDeps, delivery: Delivery, envelope: Envelope): Promise<AttemptOutcome> {
  try {
    const { source } = deps.def
    const inbox = inboxOf(deps)
    const message = { envelope, payload: delivery.payload }
    if (inbox && (await wasHandled(inbox, message))) {
      tellRepeated('inbox')
      deps.publisher.metrics.repeated({ service: deps.service, handler: deps.handler }, 'inbox')
      return { kind: 'done' }
    }
    const data =
      source.kind === 'topic' ? rawData(delivery.payload) : await decodeEvent(source, envelope, delivery.payload)
    const out = outputs({
      deps: deps.publisher,
      names: deps.names,
      service: deps.service,
      handler: deps.handler,
      cause: envelope,
      traceparent: passedOn(delivery.headers),
      once: deps.def.effects === 'once' ? onceOptions(deps, delivery) : undefined,
    })
    const endings = [deps.stopping, ...(delivery.claim ? [delivery.claim.lost] : [])]
    // Decoding took a moment, in which the process may have been stopped for long.
    await delivery.claim?.confirm()
    const called = await deps.guard(() =>
      callHandler(deps, data, {
        claim: delivery.claim,
        endings,
        contextFor: (signal) => contextOf(deps, { delivery, envelope, signal, out }),
      }),
    )
    if (called === 'leaked') return { kind: 'leaked' }
    const about = { service: deps.service, handler: deps.handler, source: delivery.source }
    tellStage('returned', about)
    await delivery.claim?.confirm()
    await out.send()
    if (inbox) await recordHandled(inbox, message)
    tellStage('stored', about)
    return { kind: 'done' }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

function inboxOf({ def, publisher, names, log, service, handler, stopping }: AttemptDeps): Inbox | undefined {
  return def.inbox && { publisher, names, log, service, handler, stopping, keepMs: def.inbox.keepMs }
}

function onceOptions({ def, publisher, service, handler }: AttemptDeps, delivery: Delivery): OnceOptions {
  return {
    def,
    payload: delivery.payload,
    isRepeat: delivery.via === 'lane' || delivery.deliveryCount > 1 || delivery.attempts > 1,
    onRepeated() {
      tellRepeated('marker')
      publisher.metrics.repeated({ service, handler }, 'marker')
    },
  }
}

/** Calls the user's function with a time limit. `leaked` when it ignores its signal for `leakAfterMs`. */
async function callHandler(
  deps: AttemptDeps,
  data: unknown,
  { claim, endings, contextFor }: CallParts,
): Promise<'returned' | 'leaked'> {
  // Nothing may come between this look and the call: others that begin in the same turn take their time too.
  for (;;) {
    if (claim?.isSure !== false) break
    await claim.confirm()
  }
  const timeout = new AbortController()
  const leak = Promise.withResolvers<'leaked'>()
  let timer = setTimeout(() => {
    timer = setTimeout(() => leak.resolve('leaked'), deps.leakAfterMs)
    timeout.abort(timeoutError(deps))
  }, deps.def.timeoutMs)
  try {
    const call = (async () => {
      await deps.def.handle(
        data,
        contextFor(() => AbortSignal.any([timeout.signal, ...endings])),
      )
      return 'returned' as const
    })()
    return await Promise.race([call, leak.promise])
  } catch (error) {
    // What a handler throws because it was told to stop is our time-out, not its own fault.
    if (timeout.signal.aborted) throw new MeshError('MESH_HANDLER_TIMEOUT', detailOf(deps), { cause: error })
    throw error
  } finally {
    clearTimeout(timer)
  }
}

type CallParts = {
  /** Of an ordered handler. */
  claim: Claim | undefined
  endings: AbortSignal[]
  contextFor: (signal: () => AbortSignal) => HandlerContext
}

type ContextParts = {
  delivery: Delivery
  envelope: Envelope
  /** Made when it is asked for: most handlers never do, and a signal of several costs more than the rest of the context. */
  signal: () => AbortSignal
  out: ReturnType<typeof outputs>
}

function contextOf(
  deps: AttemptDeps,
  { delivery, envelope, signal, out }: ContextParts,
): HandlerContext & { [ATTEMPT]: AttemptOfContext } {
  let made: AbortSignal | undefined
  let log: Logger | undefined
  const traceId = trace.getActiveSpan()?.spanContext().traceId
  const fields = { handler: deps.handler, messageId: envelope.id, ...(traceId ? { trace_id: traceId } : {}) }
  return {
    id: envelope.id,
    type: envelope.type,
    version: envelope.version,
    key: envelope.key,
    correlationId: envelope.correlationId,
    causationId: envelope.causationId,
    attempt: delivery.attempts,
    fence: delivery.claim?.fence,
    get signal() {
      return (made ??= signal())
    },
    headers: delivery.headers,
    source: delivery.source,
    publish: (contract, data, options = {}) => out.add(contract, data, options),
    [ATTEMPT]: { forgetOutputs: () => out.forget(), claim: delivery.claim, isFlowing: deps.isFlowing },
    get log() {
      return (log ??= withFields(deps.log, fields))
    },
  }
}

/** A topic has no contract: JSON is given parsed, anything else as bytes. */
function rawData(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as unknown
  } catch {
    return payload
  }
}

const detailOf = (deps: AttemptDeps): string =>
  `handler ${deps.handler} of ${deps.service} took longer than ${deps.def.timeoutMs} ms`

const timeoutError = (deps: AttemptDeps): MeshError => new MeshError('MESH_HANDLER_TIMEOUT', detailOf(deps))

function unknownType(type: string, def: HandlerDef): MeshError {
  const expected = def.source.kind === 'topic' ? def.source.pattern : def.source.type
  return new MeshError(
    'MESH_UNKNOWN_TYPE',
    `a message of type ${JSON.stringify(type.slice(0, 128))} came on a subject of ${expected}`,
  )
}

import {
  type Attributes,
  context,
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api'
import { MeshError } from '../errors.ts'
import type { Envelope, HeaderLookup, ReceivedHeaders } from '../message/envelope.ts'
import { HEADER, type HeaderPairs } from '../message/headers.ts'
import { isRecorded, tracer } from './tracer.ts'

/**
 * Names of the messaging semantic conventions (1.44, still in development, so copied instead of imported).
 * `messaging.system` is the older name of `messaging.system.name`; tools still read it.
 */
export const SYSTEM: Readonly<Record<'messaging.system.name' | 'messaging.system', string>> = {
  'messaging.system.name': 'nats',
  'messaging.system': 'nats',
}

/**
 * How a trace is followed: an SDK records spans, or a propagator only hands it on, or neither. Asked for each message, for
 * the same reason; nothing is made for a span that nobody records.
 */
export function tracing(): 'recorded' | 'handed-on' | 'none' {
  if (isRecorded()) return 'recorded'
  return propagation.fields().length > 0 ? 'handed-on' : 'none'
}

/** A received message. */
export type TraceCarrier = HeaderLookup & { headers: ReceivedHeaders }

const LOOKUP: TextMapGetter<TraceCarrier> = {
  get: (message, name) => message.header(name.toLowerCase()),
  keys: ({ headers }) => Object.keys(headers),
}

/** The trace a message was published in. */
export const receivedContext = (message: TraceCarrier): Context => propagation.extract(ROOT_CONTEXT, message, LOOKUP)

export type PublishSpan = {
  /** `traceparent` (and `tracestate`) to send. `fallback` goes out where no SDK is registered. */
  headers(fallback: string | undefined): HeaderPairs
  end(published: { stream: string; seq: number }): void
  /** It need not be stored: what it would say was stored before. */
  endUnstored(): void
  fail(error: unknown): void
}

/** The length of a span that only marks a moment, ms. Of one without any, Jaeger warns that it ended before it began. */
export const MARK_MS = 0.001

/** Marks in the trace of whoever asked that an event comes later; the event begins a trace of its own, linked to this. */
export function delayMarker(
  envelope: Envelope,
  due: Date | undefined,
): { traceparent: string | undefined; end(): void; fail(error: unknown): void } {
  const startTime = Date.now()
  const span = tracer().startSpan(`delay ${envelope.type}`, {
    kind: SpanKind.PRODUCER,
    startTime,
    attributes: {
      ...SYSTEM,
      'messaging.operation.name': 'delay',
      'messaging.operation.type': 'create',
      'messaging.destination.template': envelope.type,
      'messaging.message.conversation_id': envelope.correlationId,
      'mesh.message.id': envelope.id,
      ...(due && { 'mesh.due': due.toISOString() }),
    },
  })
  return {
    traceparent: traceparentOf(span.spanContext()),
    end: () => span.end(startTime + MARK_MS),
    fail(error) {
      failSpan(span, error)
      span.end(startTime + MARK_MS)
    },
  }
}

/** PRODUCER span of a delayed event that goes into its stream: the first of a trace, linked to whoever asked for it. */
export function dueSpan(
  due: { type: string; id: string; subject: string; dueMs: number; trace: string | undefined },
  bytes: number,
): PublishSpan {
  const asked = spanContextOf(due.trace)
  return producerSpan(ROOT_CONTEXT, due.type, (span) => {
    if (asked) span.addLink({ context: asked, attributes: { 'mesh.link': 'delay' } })
    span.setAttributes({
      'messaging.system': SYSTEM['messaging.system'],
      'messaging.operation.name': 'publish',
      'messaging.destination.name': due.subject,
      'messaging.message.body.size': bytes,
      'mesh.message.id': due.id,
      'mesh.due': new Date(due.dueMs).toISOString(),
    })
  })
}

/** PRODUCER span of one publish, child of the active context. Where nobody records it, that context itself is handed on. */
export function publishSpan(envelope: Envelope, subject: string, bytes: number): PublishSpan {
  if (tracing() !== 'recorded') return handedOn(context.active())
  return producerSpan(context.active(), envelope.type, (span) => {
    span.setAttributes({
      'messaging.system': SYSTEM['messaging.system'],
      'messaging.operation.name': 'publish',
      'messaging.destination.name': subject,
      'messaging.message.conversation_id': envelope.correlationId,
      'messaging.message.body.size': bytes,
      'mesh.message.id': envelope.id,
    })
  })
}

const handedOn = (from: Context): PublishSpan => ({
  headers: (fallback) => traceHeaders(from, fallback),
  end: ignore,
  endUnstored: ignore,
  fail: ignore,
})

function ignore(): void {}

/**
 * What a sampler may judge by. All else is said only of a span that is recorded: of one that is not, the SDK would copy and
 * check each attribute and each link, which takes longer than the rest of such a span.
 */
export const sampledBy = (operation: 'send' | 'process', type: string): Attributes => ({
  'messaging.system.name': SYSTEM['messaging.system.name'],
  'messaging.operation.type': operation,
  'messaging.destination.template': type,
})

function producerSpan(parent: Context, type: string, describe: (span: Span) => void): PublishSpan {
  const attributes = sampledBy('send', type)
  const span = tracer().startSpan(`publish ${type}`, { kind: SpanKind.PRODUCER, attributes }, parent)
  if (span.isRecording()) describe(span)
  return {
    headers: (fallback) => traceHeaders(trace.setSpan(parent, span), fallback),
    end({ stream, seq }) {
      if (span.isRecording()) span.setAttribute('messaging.message.id', `${stream}:${seq}`)
      span.end()
    },
    endUnstored() {
      span.setAttribute('mesh.repeated', true)
      span.end()
    },
    fail(error) {
      failSpan(span, error)
      span.end()
    },
  }
}

/**
 * CONSUMER span of one call that takes several messages: a trace of its own, because it belongs to no single one of theirs,
 * linked to each message's span and from it.
 */
export function batchSpan(type: string, messages: readonly (Span | undefined)[]): { span: Span; context: Context } {
  const members = messages.filter((member) => member !== undefined)
  const span = tracer().startSpan(
    `process batch ${type}`,
    {
      kind: SpanKind.CONSUMER,
      root: true,
      links: members.map((member) => ({ context: member.spanContext(), attributes: { 'mesh.link': 'message' } })),
      attributes: {
        ...SYSTEM,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.template': type,
        'messaging.batch.message_count': messages.length,
      },
    },
    ROOT_CONTEXT,
  )
  for (const member of members) member.addLink({ context: span.spanContext(), attributes: { 'mesh.link': 'batch' } })
  return { span, context: trace.setSpan(ROOT_CONTEXT, span) }
}

/** Status ERROR with the code as `error.type`; an expected refusal by the handler is told apart by its code. */
export function failSpan(span: Span, error: unknown): void {
  const type = error instanceof MeshError ? error.code : error instanceof Error ? error.name : typeof error
  span.setAttribute('error.type', type)
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message: wordsOf(error).slice(0, 500),
  })
  if (error instanceof Error)
    span.recordException({ name: error.name, message: wordsOf(error), stack: error.stack ?? '' })
}

/** A message can be anything: some make errors out of JSON bodies. */
function wordsOf(error: unknown): string {
  const said: unknown = error instanceof Error ? error.message : error
  return typeof said === 'string' ? said : (JSON.stringify(said) ?? typeof said)
}

/** Trace context of `from` as headers; `fallback` where nothing is injected. */
export function traceHeaders(from: Context, fallback?: string): HeaderPairs {
  const carrier: Record<string, string> = {}
  propagation.inject(from, carrier)
  if (!carrier[HEADER.traceparent]) return fallback ? [[HEADER.traceparent, fallback]] : []
  const pairs: [string, string][] = [[HEADER.traceparent, carrier[HEADER.traceparent]!]]
  const state = carrier[HEADER.tracestate]
  if (state) pairs.push([HEADER.tracestate, state])
  return pairs
}

/** A span context out of a `traceparent` value (W3C level 1), so that another process's attempt can be linked. */
export function spanContextOf(traceparent: string | undefined): SpanContext | undefined {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '')
  if (!match) return undefined
  return { traceId: match[1]!, spanId: match[2]!, traceFlags: Number.parseInt(match[3]!, 16), isRemote: true }
}

/** The opposite of {@link spanContextOf}. */
export function traceparentOf(span: SpanContext): string | undefined {
  if (!trace.isSpanContextValid(span)) return undefined
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
}

/** The span context to link the next attempt to; none where no SDK records. */
export const linkable = (span: SpanContext): SpanContext | undefined =>
  trace.isSpanContextValid(span) ? span : undefined

/** Marks the active attempt: its message was done before, which `by` knows. */
export function tellRepeated(by: 'marker' | 'inbox'): void {
  trace.getActiveSpan()?.setAttribute('mesh.repeated_by', by)
}

/** Spans of attempts at a message. */
import { type Context, ROOT_CONTEXT, type Span, type SpanContext, SpanKind, trace } from '@opentelemetry/api'
import type { Envelope } from '../message/envelope.ts'
import type { RunOf } from '../run/run-headers.ts'
import {
  MARK_MS,
  receivedContext,
  sampledBy,
  spanContextOf,
  SYSTEM,
  type TraceCarrier,
  traceparentOf,
} from './spans.ts'
import { tracer } from './tracer.ts'

export type ProcessSpanOptions = {
  envelope: Envelope
  message: TraceCarrier
  durable: string
  subject: string
  stream: string
  seq: number
  attempt: number
  /** Of an ordered handler. */
  claim?: { partition: number; fence: number } | undefined
  deliveryCount: number
  publishedAt: Date
  /** The attempt before this one, if known. */
  previous: SpanContext | undefined
  /** A run sent it. */
  run?: RunOf | undefined
}

/**
 * CONSUMER span of one attempt: child of the publish *and* linked to it, linked to the attempt before. Of what a run sent it
 * is in a trace of its own.
 */
export function processSpan(options: ProcessSpanOptions): { span: Span; context: Context } {
  const received = receivedContext(options.message)
  const published = trace.getSpanContext(received)
  const parent = options.run ? traceOfRun(options.run, options.envelope, received) : received
  const attributes = sampledBy('process', options.envelope.type)
  const span = tracer().startSpan(`process ${options.envelope.type}`, { kind: SpanKind.CONSUMER, attributes }, parent)
  if (span.isRecording()) describeProcess(span, options, published)
  // Nobody will ever see it, nor what it is a child of: what the handler publishes is as well told to follow the publish.
  else if (!options.run && published && isSameDecision(span.spanContext(), published)) return { span, context: parent }
  return { span, context: trace.setSpan(parent, span) }
}

/**
 * A message that is sent again, maybe weeks later, begins a trace, linked to the one it was published in; a marker there says
 * when that was, and where it goes on. Made by its handler, whose process has an SDK where the runner's may have none, at the
 * first attempt; later ones are of the same trace.
 */
function traceOfRun(run: RunOf, envelope: Envelope, received: Context): Context {
  const begun = spanContextOf(run.trace)
  if (begun) return trace.setSpanContext(ROOT_CONTEXT, begun)
  const before = trace.getSpanContext(received)
  const startTime = Date.now()
  const first = replaySpan(run, envelope, { startTime, parent: ROOT_CONTEXT, linked: before })
  first.end(startTime + MARK_MS)
  if (before)
    replaySpan(run, envelope, { startTime, parent: received, linked: first.spanContext() }).end(startTime + MARK_MS)
  run.trace = traceparentOf(first.spanContext())
  return trace.setSpan(ROOT_CONTEXT, first)
}

function replaySpan(
  run: RunOf,
  envelope: Envelope,
  { startTime, parent, linked }: { startTime: number; parent: Context; linked: SpanContext | undefined },
): Span {
  return tracer().startSpan(
    `replay ${envelope.type}`,
    {
      kind: SpanKind.PRODUCER,
      startTime,
      links: linked ? [{ context: linked, attributes: { 'mesh.link': 'replay' } }] : [],
      attributes: {
        ...SYSTEM,
        'messaging.operation.name': 'replay',
        'messaging.operation.type': 'create',
        'messaging.destination.template': envelope.type,
        'messaging.message.conversation_id': envelope.correlationId,
        'mesh.message.id': envelope.id,
        'mesh.run': run.run,
        // For those who look for it where links are not shown.
        ...(linked && { 'mesh.linked_trace': linked.traceId }),
      },
    },
    parent,
  )
}

/** Whether a span that is not recorded leaves its trace as it is: a sampler may as well have said so of a sampled one. */
function isSameDecision(a: SpanContext, b: SpanContext): boolean {
  return a.traceId === b.traceId && a.traceFlags === b.traceFlags && a.traceState === b.traceState
}

function describeProcess(span: Span, options: ProcessSpanOptions, published: SpanContext | undefined): void {
  if (published) span.addLink({ context: published, attributes: { 'mesh.link': 'publish' } })
  if (options.previous) span.addLink({ context: options.previous, attributes: { 'mesh.link': 'previous-attempt' } })
  span.setAttributes({
    'messaging.system': SYSTEM['messaging.system'],
    'messaging.operation.name': 'process',
    'messaging.destination.name': options.subject,
    'messaging.consumer.group.name': options.durable,
    'messaging.destination.subscription.name': options.durable,
    'messaging.message.id': `${options.stream}:${options.seq}`,
    'messaging.message.conversation_id': options.envelope.correlationId,
    'messaging.nats.stream.name': options.stream,
    'messaging.nats.message.stream_sequence': options.seq,
    'messaging.nats.message.delivery_count': options.deliveryCount,
    'messaging.nats.time_in_stream_ms': Date.now() - options.publishedAt.getTime(),
    'mesh.message.id': options.envelope.id,
    'mesh.attempt': options.attempt,
    ...(options.claim && { 'mesh.partition': options.claim.partition, 'mesh.fence': options.claim.fence }),
  })
}

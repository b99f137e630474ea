import {
  context,
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import type { Envelope, ReceivedHeaders } from '../message/envelope.ts'
import { failSpan } from '../observe/spans.ts'
import { ReplyError } from './reply-error.ts'

/** Names of the RPC semantic conventions, and their older spelling, which tools still read. */
const SYSTEM = { 'rpc.system.name': 'nats', 'rpc.system': 'nats' } as const

/** Asked for at each use: an SDK may be registered after this module is loaded. */
const tracer = (): Tracer => trace.getTracer('@malha/mesh')

/** CLIENT span of one request, child of the active context. */
export function requestSpan(envelope: Envelope, subject: string): { span: Span; context: Context } {
  const span = tracer().startSpan(`request ${envelope.type}`, {
    kind: SpanKind.CLIENT,
    attributes: attributes(envelope, subject),
  })
  return { span, context: trace.setSpan(context.active(), span) }
}

/** SERVER span of one answer, child of the request. */
export function replySpan(
  envelope: Envelope,
  { headers, subject, service }: { headers: ReceivedHeaders; subject: string; service: string },
): { span: Span; context: Context } {
  const parent = propagation.extract(ROOT_CONTEXT, headers)
  const span = tracer().startSpan(
    `reply ${envelope.type}`,
    { kind: SpanKind.SERVER, attributes: { ...attributes(envelope, subject), 'rpc.service': service } },
    parent,
  )
  return { span, context: trace.setSpan(parent, span) }
}

/** Status ERROR; an error of the contract is told by its code. */
export function failRequestSpan(span: Span, error: unknown): void {
  failSpan(span, error)
  if (error instanceof ReplyError) span.setAttribute('error.type', error.code)
}

function attributes(envelope: Envelope, subject: string): Record<string, string> {
  return {
    ...SYSTEM,
    'rpc.method': envelope.type,
    'messaging.destination.name': subject,
    'messaging.message.conversation_id': envelope.correlationId,
    'mesh.message.id': envelope.id,
  }
}

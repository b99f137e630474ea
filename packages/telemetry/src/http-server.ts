import type { Histogram, Metrics } from '@malha/mesh'
import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

type Traced = { span: Span; context: Context }

const traced = new WeakMap<FastifyRequest, Traced>()

/** The trace a request belongs to; undefined where nothing traces and the caller sent no trace context. */
export function traceIdOfRequest(request: FastifyRequest): string | undefined {
  const span = traced.get(request)?.span.spanContext()
  return span && isSpanContextValid(span) ? span.traceId : undefined
}

/**
 * Gives every request of a Fastify server a SERVER span that continues the caller's trace, active in hooks and handlers;
 * with `metrics` also the histogram `http_server_request_duration_seconds`. Costs next to nothing when nothing is traced.
 */
export function traceRequests(app: FastifyInstance, options: { metrics?: Metrics } = {}): void {
  const durations = options.metrics?.histogram({
    name: 'http_server_request_duration_seconds',
    help: 'From the first byte of a request to the last of its answer.',
    labels: ['http_request_method', 'http_route', 'http_response_status_code'],
  })
  app.addHook('onRequest', (request, reply, done) => {
    const current = started(request)
    traced.set(request, current)
    // Not onResponse: that stays away when the caller hangs up.
    reply.raw.once('close', () => {
      ended(current.span, reply)
      observed(durations, reply, current.span)
    })
    context.with(current.context, done)
  })
  // The body arrives in events of the socket, which know nothing of the request's context.
  app.addHook('preValidation', (request, _reply, done) => {
    context.with(traced.get(request)?.context ?? context.active(), done)
  })
  app.addHook('onError', (request, _reply, error, done) => {
    traced.get(request)?.span.recordException(error)
    done()
  })
}

/** Names and attributes of HTTP server spans as in semantic conventions 1.44 (stable). */
function started(request: FastifyRequest): Traced {
  const parent = propagation.extract(context.active(), request.headers)
  const route = routeOf(request)
  const name = route === undefined ? request.method : `${request.method} ${route}`
  const span = trace.getTracer('@malha/telemetry').startSpan(name, { kind: SpanKind.SERVER }, parent)
  // Not at the start: no sampler of ours reads them, and of most requests nobody does.
  if (span.isRecording())
    span.setAttributes({
      'http.request.method': request.method,
      'url.path': request.url.split('?', 1)[0] ?? '/',
      'url.scheme': request.protocol,
      'server.address': request.hostname,
      'client.address': request.ip,
      ...(route === undefined ? {} : { 'http.route': route }),
    })
  return { span, context: trace.setSpan(parent, span) }
}

function ended(span: Span, reply: FastifyReply): void {
  const status = reply.statusCode
  if (reply.raw.writableFinished) span.setAttribute('http.response.status_code', status)
  const fault = !reply.raw.writableFinished ? 'hung_up' : status >= 500 ? String(status) : undefined
  if (fault !== undefined) {
    span.setAttribute('error.type', fault)
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

function observed(durations: Histogram | undefined, reply: FastifyReply, span: Span): void {
  const labels = {
    http_request_method: reply.request.method,
    http_route: routeOf(reply.request) ?? 'none',
    http_response_status_code: reply.raw.writableFinished ? String(reply.statusCode) : 'none',
  }
  const { traceId, traceFlags } = span.spanContext()
  durations?.observe(labels, reply.elapsedTime / 1000, (traceFlags & 1) === 1 ? traceId : undefined)
}

/** The pattern, not the path: ids in a span name or a label would make a series each. */
function routeOf(request: FastifyRequest): string | undefined {
  return request.is404 ? undefined : request.routeOptions.url
}

import type { Metrics } from '@malha/mesh'
import {
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
} from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

type Traced = { readonly span: Span; readonly context: Context }

const traced = new WeakMap<FastifyRequest, Traced>()

/** The trace a request belongs to; undefined where nothing traces and the client sent no trace context. */
export function traceIdOfRequest(request: FastifyRequest): string | undefined {
  const spanContext = traced.get(request)?.span.spanContext()
  return spanContext && isSpanContextValid(spanContext) ? spanContext.traceId : undefined
}

/**
 * A SERVER span and a duration for each request, named by its route so that ids do not make a series each. Attributes:
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
export function traceRequests(app: FastifyInstance, metrics: Metrics): void {
  const duration = metrics.histogram({
    name: 'http_server_request_duration_seconds',
    help: 'How long requests took, from the headers to the last byte of the answer.',
    labels: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  })
  app.addHook('onRequest', (request, _reply, done) => {
    traced.set(request, startSpan(request))
    done()
  })
  // A body arrives in the socket's own async context: the request's is entered behind it, not in onRequest.
  app.addHook('preValidation', (request, _reply, done) => {
    const entry = traced.get(request)
    if (entry) context.with(entry.context, done)
    else done()
  })
  app.addHook('onError', (request, _reply, error, done) => {
    traced.get(request)?.span.recordException(error)
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    endSpan(request, reply)
    const labels = {
      http_request_method: request.method,
      http_route: routeOf(request) ?? '',
      http_response_status_code: String(reply.statusCode),
    }
    duration.observe(labels, reply.elapsedTime / 1000, traceIdOfRequest(request))
    done()
  })
}

function startSpan(request: FastifyRequest): Traced {
  const route = routeOf(request)
  const parent = propagation.extract(ROOT_CONTEXT, request.headers)
  const span = trace.getTracer('@malha/distribution-center').startSpan(
    route === undefined ? request.method : `${request.method} ${route}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        'http.request.method': request.method,
        'url.path': request.url.split('?', 1)[0] ?? '',
        'url.scheme': request.protocol,
        'server.address': request.hostname,
        'client.address': request.ip,
        'network.protocol.version': request.raw.httpVersion,
        ...(route !== undefined && { 'http.route': route }),
        ...(request.headers['user-agent'] !== undefined && { 'user_agent.original': request.headers['user-agent'] }),
      },
    },
    parent,
  )
  return { span, context: trace.setSpan(parent, span) }
}

function endSpan(request: FastifyRequest, reply: FastifyReply): void {
  const span = traced.get(request)?.span
  span?.setAttribute('http.response.status_code', reply.statusCode)
  if (reply.statusCode >= 500) {
    span?.setAttribute('error.type', String(reply.statusCode))
    span?.setStatus({ code: SpanStatusCode.ERROR })
  }
  span?.end()
}

function routeOf(request: FastifyRequest): string | undefined {
  return request.is404 ? undefined : request.routeOptions.url
}

import { context, isSpanContextValid, trace } from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'

const traceIds = new WeakMap<FastifyRequest, string>()

/** Remembers the trace of each request, for answers given outside its async context, e.g. when its body does not parse. */
export function rememberTraceIds(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const traceId = activeTraceId()
    if (traceId !== undefined) traceIds.set(request, traceId)
    done()
  })
}

/** Undefined where nothing traces and the client sent no trace context. */
export function traceIdOf(request: FastifyRequest): string | undefined {
  return traceIds.get(request)
}

export function activeTraceId(): string | undefined {
  const span = trace.getSpanContext(context.active())
  return span && isSpanContextValid(span) ? span.traceId : undefined
}

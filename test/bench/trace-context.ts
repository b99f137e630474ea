import { context, type Context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'

/** A trace as a service without an SDK carries it on: read from what came in, written to what goes out. */
export const TRACE = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }

/** The header that {@link TRACE} goes out as. */
export const TRACEPARENT = `00-${TRACE.traceId}-${TRACE.spanId}-01`

/** Switches trace context on in this process: async context and W3C headers, no SDK, no spans. Returns one with {@link TRACE} active. */
export function carryTraceContext(): Context {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  return trace.setSpanContext(ROOT_CONTEXT, TRACE)
}

import { context, isSpanContextValid, trace } from '@opentelemetry/api'

/** The trace of what runs now; undefined where nothing traces. */
export function activeTraceId(): string | undefined {
  const span = trace.getSpanContext(context.active())
  return span && isSpanContextValid(span) ? span.traceId : undefined
}

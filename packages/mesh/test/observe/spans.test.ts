import { propagation, type TextMapPropagator, trace, type TracerProvider } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { tracing } from '../../src/observe/spans.ts'

afterEach(() => {
  trace.disable()
  propagation.disable()
})

test('nobody traces until somebody registers what records spans, which may come at any time', () => {
  expect(tracing()).toBe('none')
  trace.setGlobalTracerProvider({ getTracer: () => trace.getTracer('other') } satisfies TracerProvider)
  expect(tracing()).toBe('recorded')
  trace.disable()
  expect(tracing()).toBe('none')
})

test('a propagator alone hands a trace on too', () => {
  const propagator: TextMapPropagator = {
    inject: () => undefined,
    extract: (context) => context,
    fields: () => ['traceparent'],
  }
  propagation.setGlobalPropagator(propagator)
  expect(tracing()).toBe('handed-on')
})

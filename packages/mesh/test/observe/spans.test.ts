import { propagation, type TextMapPropagator, trace, type TracerProvider } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { isTracing } from '../../src/observe/spans.ts'

afterEach(() => {
  trace.disable()
  propagation.disable()
})

test('nobody traces until somebody registers what records spans, which may come at any time', () => {
  expect(isTracing()).toBe(false)
  trace.setGlobalTracerProvider({ getTracer: () => trace.getTracer('other') } satisfies TracerProvider)
  expect(isTracing()).toBe(true)
  trace.disable()
  expect(isTracing()).toBe(false)
})

test('a propagator alone hands a trace on too', () => {
  const propagator: TextMapPropagator = {
    inject: () => undefined,
    extract: (context) => context,
    fields: () => ['traceparent'],
  }
  propagation.setGlobalPropagator(propagator)
  expect(isTracing()).toBe(true)
})

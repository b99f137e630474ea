import { type Attributes, propagation, type TextMapPropagator, trace, type TracerProvider } from '@opentelemetry/api'
import { SamplingDecision, TracerProvider as SdkProvider } from '@opentelemetry/sdk-trace'
import { afterEach, expect, test } from 'vitest'
import type { Envelope } from '../../src/message/envelope.ts'
import { publishSpan, tracing } from '../../src/observe/spans.ts'

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

test('a sampler is told the system, the operation and the type, whichever SDK is registered', () => {
  const envelope = { type: 'order.placed', id: 'o1', correlationId: 'o1' } as Envelope
  for (const decision of [SamplingDecision.NOT_RECORD, SamplingDecision.RECORD_AND_SAMPLED]) {
    const told: Attributes[] = []
    const shouldSample = (...given: readonly unknown[]): { decision: SamplingDecision } => {
      told.push({ ...(given[4] as Attributes) })
      return { decision }
    }
    trace.setGlobalTracerProvider(new SdkProvider({ sampler: { shouldSample, toString: () => 'telling' } }))
    publishSpan(envelope, 'order.placed', 10).end({ stream: 'ORDERS', seq: 1 })
    expect(told).toEqual([
      {
        'messaging.system.name': 'nats',
        'messaging.operation.type': 'send',
        'messaging.destination.template': 'order.placed',
      },
    ])
    trace.disable()
  }
})

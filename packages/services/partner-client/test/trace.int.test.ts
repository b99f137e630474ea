import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { partnerClient } from '../src/index.ts'
import { say, scriptedPartner } from './scripted-partner.ts'

afterAll(() => {
  for (const api of [trace, propagation, context]) api.disable()
})

test('every call is a client span of the caller, and tells the partner its trace', async () => {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  trace.setGlobalTracerProvider(provider)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  const instrumentation = new UndiciInstrumentation()
  instrumentation.setTracerProvider(provider)

  await using partner = await scriptedPartner((response) => say(response, 201, { id: 'x' }))
  await using client = partnerClient({ partner: 'acme', url: partner.url })
  const call = {
    path: '/things',
    body: {},
    idempotencyKey: 'k',
    answer: z.object({}),
    signal: AbortSignal.timeout(20_000),
  }
  const traceId = await trace.getTracer('test').startActiveSpan('handler', async (span) => {
    await client.post(call)
    await partner.stop()
    await client.post(call).catch(() => undefined)
    span.end()
    return span.spanContext().traceId
  })

  const calls = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT)
  expect(calls.map((span) => span.spanContext().traceId)).toEqual([traceId, traceId])
  expect(calls.map(({ status }) => status.code)).toEqual([SpanStatusCode.UNSET, SpanStatusCode.ERROR])
  expect(calls[1]?.attributes).toMatchObject({ 'error.type': 'ECONNREFUSED' })
  expect(partner.requests[0]?.headers['traceparent']).toBe(`00-${traceId}-${calls[0]?.spanContext().spanId}-01`)
})

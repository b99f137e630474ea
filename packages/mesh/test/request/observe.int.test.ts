import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { defineService, type Labels, type Metrics, reply } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { recordSpans } from '../support/recorded-spans.ts'
import { pricing, quote, slow } from './prices.ts'

const exporter = recordSpans()

const span = (name: string): ReadableSpan | undefined => exporter.getFinishedSpans().find((one) => one.name === name)

test('a reply’s span is child of its request’s, which is child of the caller’s; what the reply asks is below it', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  const asking = reply(slow, async ({ n }) => {
    await env.mesh.request(quote, { sku: 'a' })
    return { n, by: 'x' }
  })
  await env.mesh.start(defineService('asking', { handlers: {}, replies: { asking } }))
  await trace.getTracer('test').startActiveSpan('caller', async (caller) => {
    await env.mesh.request(slow, { n: 1 }, { id: 'r-1' })
    caller.end()
  })
  await eventually(() => expect(span('request price.slow')).toBeDefined())
  const chain = ['caller', 'request price.slow', 'reply price.slow', 'request price.quote', 'reply price.quote']
  const spans = chain.map((name) => span(name))
  const parents = spans.slice(1).map((one) => one?.parentSpanContext?.spanId)
  expect(parents).toEqual(spans.slice(0, -1).map((one) => one?.spanContext().spanId))
  expect(new Set(spans.map((one) => one?.spanContext().traceId)).size).toBe(1)
  expect(spans.map((one) => one?.kind).slice(1, 3)).toEqual([SpanKind.CLIENT, SpanKind.SERVER])
  expect(spans[1]?.attributes).toMatchObject({
    'rpc.system.name': 'nats',
    'rpc.method': 'price.slow',
    'mesh.message.id': 'r-1',
  })
})

test('an error is on both spans, with its code', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  await env.mesh.request(quote, { sku: 'none' }).catch(() => undefined)
  await env.mesh.request(slow, { n: 1 }).catch(() => undefined)
  for (const name of ['request price.quote', 'reply price.quote']) {
    expect(span(name)?.status.code).toBe(SpanStatusCode.ERROR)
    expect(span(name)?.attributes['error.type']).toBe('price.unknown')
  }
  expect(span('request price.slow')?.attributes['error.type']).toBe('MESH_NO_RESPONDER')
})

test('both sides count by outcome, and what is on its way', async () => {
  const { metrics, observed, gauges } = recordingMetrics()
  await using env = await testMesh({ metrics })
  await env.mesh.start(pricing())
  for (const sku of ['a', 'none', 'broken']) await env.mesh.request(quote, { sku }).catch(() => undefined)
  await env.mesh.request(slow, { n: 1 }).catch(() => undefined)
  const outcomes = (name: string): unknown[] => observed.filter((one) => one.name === name).map(({ labels }) => labels)
  expect(outcomes('mesh_request_duration_seconds')).toEqual([
    { type: 'price.quote', outcome: 'ok' },
    { type: 'price.quote', outcome: 'refused' },
    { type: 'price.quote', outcome: 'failed' },
    { type: 'price.slow', outcome: 'no-responder' },
  ])
  const reply = { service: 'pricing', reply: 'quote' }
  await eventually(() =>
    expect(outcomes('mesh_reply_duration_seconds')).toEqual([
      { ...reply, outcome: 'ok' },
      { ...reply, outcome: 'refused' },
      { ...reply, outcome: 'failed' },
    ]),
  )
  await eventually(() => expect(gauges.get('mesh_replies_inflight')).toEqual([1, 0, 1, 0, 1, 0]))
  expect(gauges.get('mesh_requests_inflight')).toEqual([1, 0, 1, 0, 1, 0, 1, 0])
})

type Observed = { name: string; labels: Labels }

function recordingMetrics(): { metrics: Metrics; observed: Observed[]; gauges: Map<string, number[]> } {
  const observed: Observed[] = []
  const gauges = new Map<string, number[]>()
  const metrics: Metrics = {
    counter: () => ({ add: () => undefined }),
    gauge: ({ name }) => ({ set: (_, value) => void gauges.set(name, [...(gauges.get(name) ?? []), value]) }),
    histogram: ({ name }) => ({ observe: (labels) => void observed.push({ name, labels }) }),
  }
  return { metrics, observed, gauges }
}

import { trace } from '@opentelemetry/api'
import { defineService, event, getStored, prepareEvent, type PreparedEvent, stream } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordSpans } from '../support/recorded-spans.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const schema = z.object({ orderId: z.string() })
const placed = event('order.placed', { stream: orders, schema, key: (order) => order.orderId })
const exporter = recordSpans()

test('a prepared event keeps its id, time and trace over JSON and another process’s publish', async () => {
  await using t = await testMesh()
  await t.mesh.provision(defineService('shop', { handlers: {}, publishes: [placed] }))
  const { prepared, traceId } = await trace.getTracer('test').startActiveSpan('request', async (span) => {
    const made = await prepareEvent(placed, { orderId: 'o1' }, { from: 'shop', id: 'p1', headers: { 'x-a': 'b' } })
    span.end()
    return { prepared: made, traceId: span.spanContext().traceId }
  })
  const copy = { ...(JSON.parse(JSON.stringify(prepared)) as PreparedEvent), payload: prepared.payload }
  const { seq, stream: name } = await t.mesh.publishPrepared(copy)
  expect(await t.mesh.publishPrepared(copy)).toMatchObject({ seq, duplicate: true })
  const stored = await getStored(t.nats, name, { seq })
  expect(stored?.subject).toBe(`${t.namespace}.${prepared.subject}`)
  expect(stored?.headers).toMatchObject({
    'ce-id': 'p1',
    'ce-source': '/shop',
    'ce-time': prepared.envelope.time,
    'ce-partitionkey': 'o1',
    'x-a': 'b',
    traceparent: expect.stringContaining(traceId),
  })
  const published = exporter.getFinishedSpans().find((span) => span.name === 'publish order.placed')
  expect(published?.spanContext().traceId).toBe(traceId)
})

test('bad data, a reserved header and once without a key are refused when it is prepared', async () => {
  const viewed = event('order.viewed', { stream: orders, schema })
  const from = 'shop'
  await expect(prepareEvent(placed, { orderId: 1 as never }, { from })).rejects.toThrow(/MESH_INVALID_PAYLOAD/)
  await expect(prepareEvent(placed, { orderId: '' }, { from })).rejects.toThrow(/MESH_INVALID_KEY/)
  await expect(prepareEvent(placed, { orderId: 'a' }, { from, headers: { 'ce-id': 'x' } })).rejects.toThrow(
    /MESH_INVALID_HEADER/,
  )
  await expect(prepareEvent(viewed, { orderId: 'a' }, { from, once: true })).rejects.toThrow(/MESH_INVALID_CONTRACT/)
})

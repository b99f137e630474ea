import { startTraces } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { expect, it } from 'vitest'
import { openOperations } from '../../src/index.ts'
import { orders, shopWith } from '../why/shop.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

it('a trace leads to its messages without a look through the streams, and its spans come with them', async () => {
  await using traces = await startTraces({ env: {} })
  await using test = await testMesh()
  const { mesh } = test
  await mesh.provision(shopWith(() => undefined))
  const traced = headers()
  traced.set('ce-id', 'e-1')
  traced.set('traceparent', `00-${TRACE}-b7ad6b7169203331-01`)
  const subject = mesh.names.subject('order.seen')
  const { seq } = await jetstream(test.nats).publish(subject, '{}', { headers: traced })
  const place = `${mesh.names.stream(orders)}:${seq}`
  const span = {
    traceId: TRACE,
    spanId: 'b7ad6b7169203331',
    name: 'publish order.seen',
    startTimeUnixNano: '1790000000000000001',
    endTimeUnixNano: '1790000000000000003',
    attributes: [{ key: 'messaging.message.id', value: { stringValue: place } }],
  }
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'till' } }] }
  const sent = await fetch(`${traces.otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }),
  })
  expect(sent.status).toBe(200)
  using operations = await openOperations(mesh, { traces: traces.queryUrl })
  await eventually(async () =>
    expect(await operations.journey(TRACE, { scan: 0 })).toMatchObject({
      as: 'trace',
      roots: [{ event: { id: 'e-1', seq } }],
      traces: [{ traceId: TRACE, spans: [{ service: 'till', name: 'publish order.seen' }] }],
    }),
  )
  using away = await openOperations(mesh, { traces: 'http://127.0.0.1:1' })
  const { missing } = await away.journey(TRACE)
  expect(missing).toEqual([expect.stringMatching(/^trace 0af.*: 127\.0\.0\.1:1 does not answer/)])
})

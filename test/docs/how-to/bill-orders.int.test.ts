import { testMesh, untilSettled } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { billing } from './bill-orders.ts'
import { orders } from './order-contracts.ts'

test('an order that comes twice is billed once and charged once, as the page shows', async () => {
  await using env = await testMesh()
  const { mesh, nats } = env
  const charged: string[] = []
  const bank = async (orderId: string): Promise<Response> => {
    charged.push(orderId)
    return Response.json({})
  }
  await using _running = await mesh.start(billing(bank))
  const js = jetstream(nats)
  const jsm = await jetstreamManager(nats)
  const stream = mesh.names.stream(orders)
  // Without an id of the store operation the server takes it again, as it would once its duplicate window is over.
  for (let time = 0; time < 2; time += 1) {
    const head = headers()
    const event = { specversion: '1.0', id: 'placed-1', type: 'order.placed', source: '/shop' }
    for (const [name, value] of Object.entries(event)) head.set(`ce-${name}`, value)
    const order = JSON.stringify({ orderId: 'o-1', cents: 100 })
    await js.publish(mesh.names.subject('order.placed'), order, { headers: head })
    for (const handler of ['bill', 'charge']) await untilSettled(nats, stream, mesh.names.durable('billing', handler))
  }
  const { state } = await jsm.streams.info(stream, { subjects_filter: '>' })
  const counts = Object.entries(state.subjects ?? {}).map(([subject, count]) => [mesh.names.strip(subject), count])
  expect(Object.fromEntries(counts)).toEqual({
    'order.placed': 2,
    [`order.billed.${partition}.o-1`]: 1,
    [`stock.reserved.${partition}.o-1`]: 1,
    '_done.ORDERS.billing.bill.placed-1': 1,
  })
  expect(charged).toEqual(['o-1'])
})

const partition = 8

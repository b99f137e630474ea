import { defineService, derivedId, event, on, stream } from '@malha/mesh'
import { eventually, testMesh, untilSettled } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ id: z.string() }), key: (o) => o.id })
const billed = event('order.billed', {
  stream: orders,
  schema: z.object({ id: z.string(), invoice: z.string() }),
  key: (o) => o.id,
})

test.each([{ once: true }, { once: false }])(
  'an output an earlier run stored in other words is done: no dead letter, no second event ($once)',
  async ({ once }) => {
    await using env = await testMesh()
    const { mesh } = env
    let runs = 0
    const service = defineService('billing', {
      publishes: [billed],
      handlers: {
        bill: on(placed, { startFrom: 'all' }, ({ id }, ctx) => {
          runs++
          ctx.publish(billed, { id, invoice: 'second answer' }, { once })
        }),
      },
    })
    await mesh.provision(service)
    const parts = { from: 'p1', service: 'billing', handler: 'bill', type: billed.type, key: 'o1', index: 0 }
    const earlier = await mesh.publish(billed, { id: 'o1', invoice: 'first answer' }, { id: derivedId(parts), once })
    await mesh.start(service)
    await mesh.publish(placed, { id: 'o1' }, { id: 'p1' })
    await eventually(() => expect(runs).toBe(1))

    const jsm = await jetstreamManager(mesh.nats)
    await untilSettled(mesh.nats, mesh.names.stream(orders), mesh.names.durable('billing', 'bill', 'keyed'))
    expect((await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))).state.messages).toBe(0)
    expect((await jsm.streams.info(mesh.names.stream(orders))).state.messages).toBe(2)
    const stored = await jsm.streams.getMessage(mesh.names.stream(orders), { seq: earlier.seq ?? 0 })
    expect(stored?.json()).toMatchObject({ invoice: 'first answer' })
  },
)

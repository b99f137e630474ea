import { defineService, event, type HandlerDef, minutes, on, onBatch, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'

/** Its window is short, so that a test can publish an event twice. */
const orders = stream('ORDERS', { subjects: ['order.>'], duplicateWindowMs: 100, partitions: 4 })
const schema = z.object({ orderId: z.string() })
const placed = event('order.placed', { stream: orders, schema, key: (order) => order.orderId })
const billed = event('order.billed', { stream: orders, schema, key: (order) => order.orderId })

const common = { startFrom: 'all', effects: 'once' } as const
const kinds: [string, (ran: (id: string) => void) => HandlerDef][] = [
  [
    'that keeps the order of keys',
    (ran) =>
      on(placed, { ...common, order: 'key', inbox: { keepMs: minutes(2) } }, (order, ctx) => {
        ran(ctx.id)
        ctx.publish(billed, order)
      }),
  ],
  [
    'that takes several messages in one call',
    (ran) =>
      onBatch(placed, { ...common, size: 8, maxAgeMs: 50, inbox: { keepMs: minutes(2) } }, (batch) => {
        for (const message of batch) {
          ran(message.id)
          message.publish(billed, message.data)
        }
      }),
  ],
]

test.each(kinds)('a handler %s publishes once, and has an inbox', async (_kind, handler) => {
  await using env = await testMesh()
  const { mesh } = env
  const ran: string[] = []
  await mesh.start(defineService('billing', { publishes: [billed], handlers: { bill: handler((id) => ran.push(id)) } }))
  const publish = (n: number) => mesh.publish(placed, { orderId: `o${n}` }, { id: `p${n}` })
  const numbers = Array.from({ length: 20 }, (_, n) => n)
  await Promise.all(numbers.map(publish))
  const jsm = await jetstreamManager(mesh.nats)
  const messages = async (): Promise<number> => (await jsm.streams.info(mesh.names.stream(orders))).state.messages
  await eventually(async () => expect(await messages()).toBe(60))
  // Each is past the window at a time of its own.
  const again = (n: number) => eventually(async () => expect((await publish(n)).duplicate).toBe(false))
  await Promise.all(numbers.map(again))
  await mesh.publish(placed, { orderId: 'last' })
  await eventually(() => expect(ran).toHaveLength(21))
  await eventually(async () => expect(await messages()).toBe(83))
  expect(ran.filter((id) => id.startsWith('p')).sort()).toEqual(numbers.map((n) => `p${n}`).sort())
})

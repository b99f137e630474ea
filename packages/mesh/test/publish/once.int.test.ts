import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, publication, stream } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 16 * 1024 ** 2 })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ id: z.string(), n: z.number() }),
  key: (order) => order.id,
})
const noted = event('order.noted', { stream: orders, schema: z.object({ n: z.number() }) })

test('an event published once is known again, alone and in a batch, also behind a later one of its key', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [placed, noted] }))

  const first = await mesh.publish(placed, { id: 'o1', n: 1 }, { id: 'first', once: true })
  await mesh.publish(placed, { id: 'o1', n: 2 }, { id: 'later' })
  const again = await mesh.publish(placed, { id: 'o1', n: 1 }, { id: 'first', once: true })
  expect(again).toMatchObject({ seq: first.seq, duplicate: true })
  await expect(mesh.publish(placed, { id: 'o1', n: 3 }, { id: 'other', once: true })).rejects.toThrow(/as first/)

  const batch = [
    publication(placed, { id: 'o2', n: 1 }, { id: 'b-0', once: true }),
    publication(noted, { n: 1 }, { id: 'b-1' }),
  ]
  const told = await mesh.publishAll(batch)
  await mesh.publish(placed, { id: 'o2', n: 2 }, { id: 'b-later' })
  const repeated = await mesh.publishAll(batch)
  expect(repeated.map(({ seq, duplicate }) => [seq, duplicate])).toEqual(told.map(({ seq }) => [seq, true]))
})

import assert from 'node:assert/strict'
import { defineService, event, hours, type Mesh, publication, stream } from '@malha/mesh'
import { promise, type Case, type ConformanceEnv } from './case.ts'
import { billed, kept, order, Order, orders, placed, refused, shipped } from './kit.ts'

const publisher = defineService('shop', { handlers: {}, publishes: [placed] })

async function shop(env: ConformanceEnv): Promise<Mesh> {
  const mesh = await env.mesh()
  await mesh.provision(publisher)
  return mesh
}

const together: Case = promise(
  'events published together stand next to each other, in order, at the sequences that were told',
  async (env) => {
    const mesh = await shop(env)
    const batch = (n: number) => [publication(placed, order(n), { id: `p${n}` }), publication(billed, order(n))]
    const noise = Array.from({ length: 20 }, (_, n) => mesh.publish(shipped, order(n)))
    const told = await Promise.all(Array.from({ length: 20 }, (_, n) => mesh.publishAll(batch(n))))
    await Promise.all(noise)
    const stored = new Map((await kept(env, 'ORDERS')).map((message) => [message.seq, message]))
    assert.equal(stored.size, 60)
    for (const [n, [first, second]] of told.entries()) {
      assert.equal(first?.id, `p${n}`)
      assert.equal(second?.seq, (first?.seq ?? 0) + 1)
      const types = [first, second].map((one) => stored.get(one?.seq ?? 0)?.headers['ce-type'])
      assert.deepEqual(types, ['order.placed', 'order.billed'])
      assert.equal(stored.get(first?.seq ?? 0)?.headers['ce-partitionkey'], `o${n}`)
    }
  },
)

const allOrNothing: Case = promise('one event of a batch that may not be stored: nothing of it is', async (env) => {
  const mesh = await shop(env)
  await mesh.publish(billed, order(1), { id: 'before', once: true })
  const batch = [
    publication(placed, order(1)),
    publication(billed, order(1), { id: 'late', once: true }),
    publication(shipped, order(1)),
  ]
  const error = await refused(mesh.publishAll(batch), 'MESH_ONCE_CONFLICT')
  assert.match(error.message, /"o1".*as before/)
  await refused(
    mesh.publishAll([publication(placed, order(2)), publication(placed, { orderId: 'o3', n: 'x' as never })]),
    'MESH_INVALID_PAYLOAD',
  )
  assert.deepEqual(
    (await kept(env, 'ORDERS')).map(({ headers }) => headers['ce-id']),
    ['before'],
  )
})

const repeated: Case = promise(
  'the same batch again is stored once and told alike; another one under its ids is refused as a whole',
  async (env) => {
    const mesh = await shop(env)
    for (const once of [false, true]) {
      const id = (n: number): string => `${once ? 'once' : 'plain'}-${n}`
      const batch = (n = 0) => [
        publication(placed, { ...order(n), orderId: id(1) }, { id: id(1), once }),
        publication(billed, { ...order(n), orderId: id(1) }, { id: id(2) }),
      ]
      const first = await mesh.publishAll(batch())
      await mesh.publish(placed, { ...order(5), orderId: `${id(1)}-later` })
      const again = await mesh.publishAll(batch())
      assert.deepEqual(
        again,
        first.map((one) => ({ ...one, duplicate: true })),
      )
      await refused(mesh.publishAll(batch(9)), 'MESH_ID_CONFLICT')
      const half = [publication(shipped, order(7), { id: id(3) }), publication(billed, order(7), { id: id(2) })]
      await refused(mesh.publishAll(half), 'MESH_ID_CONFLICT')
    }
    assert.equal((await kept(env, 'ORDERS')).length, 6)
  },
)

const parcels = stream('PARCELS', { subjects: ['parcel.>'], maxAgeMs: hours(1), maxBytes: 2 ** 20 })
const packed = event('parcel.packed', { stream: parcels, schema: Order })

const bounds: Case = promise(
  'a thousand events go together; more, two streams, or one id twice are MESH_INVALID_BATCH, and none is none',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.provision(defineService('shop', { handlers: {}, publishes: [placed, packed] }))
    const some = (count: number) => Array.from({ length: count }, (_, n) => publication(placed, order(n)))
    assert.deepEqual(await mesh.publishAll([]), [])
    const over = await refused(mesh.publishAll(some(1001)), 'MESH_INVALID_BATCH')
    assert.match(over.message, /1001 events.*1000/)
    const two = [publication(placed, order(1), { id: 'a' }), publication(packed, order(1), { id: 'a' })]
    const mixed = await refused(mesh.publishAll(two), 'MESH_INVALID_BATCH')
    assert.match(mixed.message, /2 streams[^]*id a comes twice/)
    assert.equal((await kept(env, 'ORDERS')).length, 0)
    const told = await mesh.publishAll(some(1000))
    assert.equal(told.at(-1)?.seq, 1000)
    assert.equal((await mesh.publishAll(some(1))).length, 1)
    assert.equal((await kept(env, orders.name)).length, 1001)
  },
)

export const atomicCases: readonly Case[] = [together, allOrNothing, repeated, bounds]

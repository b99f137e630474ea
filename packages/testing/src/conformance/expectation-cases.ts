import assert from 'node:assert/strict'
import { defineService, type Mesh, partitionOf, publication } from '@malha/mesh'
import { promise, type Case, type ConformanceEnv } from './case.ts'
import { billed, kept, order, orders, placed, refused, shipped } from './kit.ts'

const publisher = defineService('shop', { handlers: {}, publishes: [placed] })

async function shop(env: ConformanceEnv): Promise<Mesh> {
  const mesh = await env.mesh()
  await mesh.provision(publisher)
  return mesh
}

/** All that is said of one order, whatever its type. */
const ofOrder = (n: number): string => `order.*.${partitionOf(`o${n}`, orders.partitions)}.o${n}`

const types = async (env: ConformanceEnv): Promise<(string | undefined)[]> =>
  (await kept(env, 'ORDERS')).map(({ headers }) => headers['ce-type'])

const held: Case = promise(
  'an event that expects what is not so, over all types of its key, is not stored; another key does not matter',
  async (env) => {
    const mesh = await shop(env)
    const subjects = ofOrder(1)
    const first = await mesh.publish(placed, order(1), { expect: { lastSeq: 0, subjects } })
    await mesh.publish(placed, order(2))
    await refused(mesh.publish(billed, order(1), { expect: { lastSeq: 0, subjects } }), 'MESH_EXPECTATION_FAILED')
    const second = await mesh.publish(billed, order(1), { expect: { lastSeq: first.seq, subjects } })
    const both = [publication(shipped, order(1)), publication(billed, order(1))]
    await refused(mesh.publishAll(both, { expect: { lastSeq: first.seq, subjects } }), 'MESH_EXPECTATION_FAILED')
    await mesh.publishAll(both, { expect: { lastSeq: second.seq, subjects } })
    assert.deepEqual(await types(env), [
      'order.placed',
      'order.placed',
      'order.billed',
      'order.shipped',
      'order.billed',
    ])
  },
)

const repeated: Case = promise(
  'an event that was stored under its expectation is known again, alone and in a batch',
  async (env) => {
    const mesh = await shop(env)
    const expect = { lastSeq: 0, subjects: ofOrder(1) }
    const once = await mesh.publish(placed, order(1), { id: 'p1', expect })
    assert.deepEqual(await mesh.publish(placed, order(1), { id: 'p1', expect }), { ...once, duplicate: true })
    await refused(mesh.publish(placed, { ...order(1), n: 99 }, { id: 'p1', expect }), 'MESH_ID_CONFLICT')
    const batch = [publication(placed, order(2), { id: 'p2' }), publication(billed, order(2), { id: 'b2' })]
    const given = { expect: { lastSeq: 0, subjects: ofOrder(2) } }
    const stored = await mesh.publishAll(batch, given)
    const again = stored.map((one) => ({ ...one, duplicate: true }))
    assert.deepEqual(await mesh.publishAll(batch, given), again)
    await mesh.publish(billed, order(2))
    assert.deepEqual(await mesh.publishAll(batch, given), again)
    assert.equal((await kept(env, 'ORDERS')).length, 4)
  },
)

const raced: Case = promise('of many who expect the same, alone or in batches, one is stored', async (env) => {
  const mesh = await shop(env)
  const others = [mesh, await env.mesh(), await env.mesh()]
  for (let n = 1; n <= 15; n++) {
    const expect = { lastSeq: 0, subjects: ofOrder(n) }
    const tries = others.flatMap((one) => [
      one.publish(billed, order(n), { expect }),
      one.publishAll([publication(placed, order(n)), publication(shipped, order(n))], { expect }),
    ])
    const settled = await Promise.allSettled(tries)
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
  }
  const stored = await kept(env, 'ORDERS')
  const sizes = Array.from(
    { length: 15 },
    (_, n) => stored.filter(({ subject }) => subject.endsWith(`.o${n + 1}`)).length,
  )
  const singles = stored.filter(({ headers }) => headers['ce-type'] === 'order.billed').length
  assert.equal(sizes.filter((size) => size === 1).length, singles)
  assert.equal(sizes.filter((size) => size === 2).length, 15 - singles)
})

const nonsense: Case = promise(
  'an expectation that cannot mean anything is refused before anything is sent',
  async (env) => {
    const mesh = await shop(env)
    const subjects = ofOrder(1)
    await refused(mesh.publish(placed, order(1), { expect: { lastSeq: -1, subjects } }), 'MESH_INVALID_OPTIONS')
    await refused(mesh.publish(placed, order(2), { expect: { lastSeq: 0, subjects } }), 'MESH_INVALID_OPTIONS')
    await refused(
      mesh.publish(placed, order(1), { once: true, expect: { lastSeq: 0, subjects } }),
      'MESH_INVALID_OPTIONS',
    )
    assert.deepEqual(await kept(env, 'ORDERS'), [])
  },
)

export const expectationCases: readonly Case[] = [held, repeated, raced, nonsense]

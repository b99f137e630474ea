/** What docs/explanation/growing-past-one-cluster.md says of servers that a leaf node joins. */
import { defineService, type Mesh, publication, reply } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Joined, joinedByALeafNode } from './leaf.ts'
import { orderMoved, price } from './orders.ts'
import { connected, EDGE, expectAllAtTheEdge, PATIENCE, publishing, sourced, stored } from './sourced.ts'

let joined: Joined
beforeAll(async () => void (joined = await joinedByALeafNode()))
afterAll(() => joined[Symbol.asyncDispose]())

test('what is sourced into a namespace of the edge is handled there in the order of keys, each event once, under its id', async () => {
  const meshes = await sourced(joined)
  await expectAllAtTheEdge(meshes)

  // Conditions held where they were published; the copy takes what was stored.
  const { hub, edge } = meshes
  const before = await stored(edge, `${EDGE}_ORDERS`)
  await hub.publish(orderMoved, { orderId: 'o-4', nth: 1 }, { once: true })
  await hub.publishAll([2, 3].map((nth) => publication(orderMoved, { orderId: 'o-4', nth })))
  await hub.publish(orderMoved, { orderId: 'o-4', nth: 4 })
  await eventually(async () => expect(await stored(edge, `${EDGE}_ORDERS`)).toBe(before + 4), PATIENCE)

  // All that is said of an event comes with it.
  const [there, here] = await Promise.all([headersOf(hub, 'ORDERS'), headersOf(edge, `${EDGE}_ORDERS`)])
  expect(here).toEqual([...there, ['Nats-Stream-Source', expect.anything()]])

  // What an operator set is left by services that start.
  await edge.provision(publishing)
  const { config } = await (await jetstreamManager(edge.nats)).streams.info(`${EDGE}_ORDERS`)
  expect(config.sources).toHaveLength(1)
})

test('a mirror in the place of a contract’s stream is refused, and what to do is said', async () => {
  const hub = await connected(joined.hub.url)
  await hub.provision(publishing)
  const edge = await connected(joined.edge.url, 'mirrored')
  const jsm = await jetstreamManager(edge.nats)
  const { config } = await (await jetstreamManager(hub.nats)).streams.info('ORDERS')
  const mirror = { name: 'ORDERS', external: { api: '$JS.hub.API', deliver: '' } }
  await jsm.streams.add({ name: 'mirrored_ORDERS', mirror, metadata: config.metadata ?? {} })
  await expect(edge.provision(publishing)).rejects.toThrow(
    /MESH_TOPOLOGY.*it mirrors ORDERS.*source that stream into this one instead/s,
  )
})

test('a request finds a service at the other end', async () => {
  const hub = await connected(joined.hub.url)
  const quote = reply(price, ({ sku }) => ({ cents: sku.length }))
  const running = await hub.start(defineService('pricing', { handlers: {}, replies: { quote } }))
  const edge = await connected(joined.edge.url)
  await eventually(async () => expect(await edge.request(price, { sku: 'abc' })).toEqual({ cents: 3 }), PATIENCE)
  await running.stop()
})

test('two meshes of one namespace both store what either publishes, a namespace of its own keeps a mesh apart', async () => {
  const [hub, edge] = [await connected(joined.hub.url), await connected(joined.edge.url)]
  await Promise.all([hub, edge].map((mesh) => mesh.provision(publishing)))
  const before = await stored(hub, 'ORDERS')
  await eventually(async () => {
    await edge.publish(orderMoved, { orderId: 'o-9', nth: 1 })
    expect(await stored(hub, 'ORDERS')).toBeGreaterThan(before)
    expect(await stored(edge, 'ORDERS')).toBeGreaterThan(0)
  }, PATIENCE)
  const apart = await connected(joined.edge.url, 'apart')
  await apart.provision(publishing)
  const then = await stored(hub, 'ORDERS')
  await apart.publish(orderMoved, { orderId: 'o-9', nth: 1 })
  expect([await stored(apart, 'apart_ORDERS'), await stored(hub, 'ORDERS')]).toEqual([1, then])
})

/** Of the first event of a stream. */
async function headersOf(mesh: Mesh, stream: string): Promise<[string, string[]][]> {
  const jsm = await jetstreamManager(mesh.nats)
  const message = await jsm.streams.getMessage(stream, { seq: 1 })
  return [...message!.header]
}

import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  askStatus,
  defineService,
  event,
  type Mesh,
  on,
  prepareEvent,
  publication,
  type ServiceDef,
  stream,
} from '../../src/index.ts'
import { tempFolder } from '../publish/spool/spool-kit.ts'

const schema = z.object({ n: z.string() })
const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 16 * 1024 ** 2 })
const placed = event('order.placed', { stream: orders, schema, key: ({ n }) => n })
const paid = event('order.paid', { stream: orders, schema, key: ({ n }) => n })
const packed = event('order.packed', { stream: orders, schema })
const sent = event('order.sent', { stream: orders, schema })

/** What the processes of a service say that they published, by type. */
async function publishedBy({ nats, names }: Mesh, service: string): Promise<Record<string, [number, number]>> {
  const [{ published = [] } = {}] = await askStatus({ nats, names }, [service])
  return Object.fromEntries(published.map(({ type, stored, failed }) => [type, [stored, failed]]))
}

const service = (name: string, publishes: ServiceDef['publishes'] = []): ServiceDef =>
  defineService(name, { publishes, handlers: {} })

test('what handlers publish, and what their process does by itself, is counted by type, in whatever way it is published', async () => {
  await using t = await testMesh()
  const { mesh } = t
  await using _shop = await mesh.start(
    defineService('shop', {
      publishes: [placed, packed],
      handlers: {
        bill: on(placed, { startFrom: 'all' }, ({ n }, ctx) => ctx.publish(paid, { n: `paid ${n}` })),
        pack: on(paid, { startFrom: 'all', effects: 'once' }, ({ n }, ctx) => {
          ctx.publish(packed, { n })
          ctx.publish(packed, { n }, { deliverIn: 1 })
        }),
        look: on(placed, { startFrom: 'all' }, ({ n }, ctx) => ctx.publish(sent, { n })),
      },
    }),
  )
  expect(await publishedBy(mesh, 'shop')).toEqual({})
  await mesh.publish(placed, { n: 'a' })
  await mesh.publishAll([publication(placed, { n: 'b' }), publication(placed, { n: 'c' })])
  await mesh.publishPrepared(await prepareEvent(placed, { n: 'd' }, { from: 'elsewhere' }))
  await mesh.publish(placed, { n: 'e' }, { deliverIn: 1 })
  await eventually(async () =>
    expect(await publishedBy(mesh, 'shop')).toEqual({
      'order.placed': [5, 0],
      'order.paid': [5, 0],
      'order.packed': [10, 0],
      'order.sent': [5, 0],
    }),
  )
})

test('what could not be stored is counted apart, and an answer that was asked for is not', async () => {
  await using t = await testMesh()
  const { mesh } = t
  const small = stream('SMALL', { subjects: ['small.>'], maxBytes: 65_536 })
  const full = event('small.full', { stream: small, schema })
  await using _shop = await mesh.start(service('shop', [placed, full]))
  await mesh.publish(placed, { n: 'a' }, { once: true })
  await expect(mesh.publish(placed, { n: 'a' }, { once: true })).rejects.toThrow('MESH_ONCE_CONFLICT')
  await expect(mesh.publish(placed, { n: 'b' }, { expect: { lastSeq: 0, subjects: 'order.>' } })).rejects.toThrow(
    'MESH_EXPECTATION_FAILED',
  )
  const large = { n: 'x'.repeat(40_000) }
  await mesh.publish(full, large)
  await expect(mesh.publish(full, large)).rejects.toThrow('MESH_STREAM_FULL')
  await expect(mesh.publishAll([publication(full, large), publication(full, large)])).rejects.toThrow(
    'MESH_STREAM_FULL',
  )
  expect(await publishedBy(mesh, 'shop')).toEqual({ 'order.placed': [1, 0], 'small.full': [1, 3] })
})

test('of several services in one process the one counts that declares the type, and each from its start', async () => {
  await using t = await testMesh()
  const { mesh } = t
  await using _first = await mesh.start(service('first', [placed]))
  const second = await mesh.start(service('second', [paid]))
  await mesh.publish(placed, { n: 'a' })
  await mesh.publish(paid, { n: 'a' })
  await mesh.publish(packed, { n: 'nobody declares it' })
  expect(await publishedBy(mesh, 'first')).toEqual({ 'order.placed': [1, 0], 'order.packed': [1, 0] })
  expect(await publishedBy(mesh, 'second')).toEqual({ 'order.paid': [1, 0] })
  await second.stop()
  await mesh.publish(paid, { n: 'b' })
  await using _again = await mesh.start(service('second', [paid]))
  await mesh.publish(paid, { n: 'c' })
  expect(await publishedBy(mesh, 'first')).toMatchObject({ 'order.paid': [1, 0] })
  expect(await publishedBy(mesh, 'second')).toEqual({ 'order.paid': [1, 0] })
})

test('what waited in a spool is counted when the stream has it', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  const mesh = await t.connect({ spool: { file: folder.file } })
  await using _shop = await mesh.start(service('shop', [placed]))
  await mesh.publish(placed, { n: 'a' })
  await server.kill()
  for (const n of ['b', 'c', 'd']) expect(await mesh.publish(placed, { n })).toMatchObject({ queued: true })
  await server.start()
  await eventually(async () => expect((await publishedBy(mesh, 'shop'))['order.placed']![0]).toBe(4), {
    timeoutMs: 20_000,
  })
})

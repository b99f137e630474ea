import { defineService, event, on, stream, untilBack } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations } from '../../src/index.ts'
import { shopWith } from '../why/shop.ts'

it('every stream of the mesh is shown with its kind and size, and nobody else’s', async () => {
  await using test = await testMesh()
  const jsm = await jetstreamManager(test.nats)
  await jsm.streams.add({ name: `${test.namespace}-other`, subjects: [`${test.namespace}.other.>`] })
  using operations = await openOperations(await test.connect({ topology: 'none' }))
  expect(await operations.streams()).toEqual([])
  const running = await test.mesh.start(shopWith(() => undefined))
  const streams = await operations.streams()
  const { names } = test.mesh
  expect(streams.map(({ name, kind }) => [name, kind])).toEqual([
    [`KV_${names.bucket('MESH_CHECKPOINTS')}`, 'checkpoints'],
    [names.stream('DEAD_LETTERS'), 'dead-letters'],
    [names.delays(), 'delays'],
    [names.lanes('shop'), 'lanes'],
    [names.stream('MESH'), 'mesh'],
    [names.stream('ORDERS'), 'events'],
  ])
  expect(streams.at(-1)).toMatchObject({
    messages: 0,
    maxBytes: 1024 ** 3,
    used: 0,
    discard: 'new',
    oldestAt: undefined,
    maxAgeMs: 30 * 86_400_000,
    replicas: 1,
    laggards: [],
    consumers: 2,
    headroom: undefined,
    alarms: [],
  })
  await running.stop()
})

it('a stream that is nearly full is told, and how long it is until a handler loses an event', async () => {
  await using test = await testMesh()
  using operations = await openOperations(await test.connect({ topology: 'none' }))
  const small = stream('ORDERS', { subjects: ['order.>'], maxBytes: 65_536, maxAgeMs: 3_600_000 })
  const placed = event('order.placed', { stream: small, schema: z.object({ text: z.string() }) })
  const retry = { ...untilBack, forMs: 1000 }
  const shop = defineService('shop', { handlers: { bill: on(placed, { startFrom: 'all', retry }, () => undefined) } })
  await (await test.mesh.start(shop)).stop()
  await test.mesh.publish(placed, { text: 'x'.repeat(60_000) })
  const found = (await operations.streams()).find(({ kind }) => kind === 'events')
  expect(found).toMatchObject({
    alarms: ['size'],
    headroom: { durable: test.mesh.names.durable('shop', 'bill'), seq: 1 },
  })
  const { storedAt, leavesAt } = found!.headroom!
  expect(Date.parse(leavesAt) - Date.parse(storedAt)).toBe(3_600_000)
})

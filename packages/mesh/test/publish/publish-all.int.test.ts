import { setImmediate } from 'node:timers/promises'
import { defineService, event, publication, stream } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 64 * 1024 ** 2 })
const schema = z.object({ id: z.string() })
const placed = event('order.placed', { stream: orders, schema, key: (order) => order.id })
const noted = event('order.noted', { stream: orders, schema })
const shop = defineService('shop', { handlers: {}, publishes: [placed, noted] })

test('a batch that meets an id of another is answered within its time, though others publish on its subject faster than it can be read', async () => {
  await using t = await testMesh()
  await t.mesh.provision(shop)
  await t.mesh.publish(placed, { id: 'o1' }, { id: 'taken' })
  const noise = t.mesh.names.subject('order.noted')
  const over = new AbortController()
  const crowd = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      for (let n = 0; n < 20; n++) t.nats.publish(noise, '{}')
      await setImmediate()
    }
  })()
  const batch = [publication(noted, { id: 'o2' }), publication(noted, { id: 'o1' }, { id: 'taken' })]
  const answer = await t.mesh.publishAll(batch, { timeoutMs: 1500 }).catch(String)
  over.abort()
  await crowd
  expect(answer).toMatch(/MESH_ID_CONFLICT|MESH_PUBLISH_TIMEOUT/)
})

test('of a batch with an expectation and an event to be published once, the one that does not hold is named', async () => {
  await using t = await testMesh()
  await t.mesh.provision(shop)
  await t.mesh.publish(placed, { id: 'o1' }, { id: 'first' })
  const batch = (key: string) => [publication(placed, { id: 'o2' }), publication(placed, { id: key }, { once: true })]
  const expecting = (lastSeq: number) => ({ expect: { lastSeq, subjects: 'order.placed.*.o2' } })
  await expect(t.mesh.publishAll(batch('o1'), expecting(0))).rejects.toThrow(/MESH_ONCE_CONFLICT.*as first/)
  await expect(t.mesh.publishAll(batch('o3'), expecting(1))).rejects.toThrow('MESH_EXPECTATION_FAILED')
  await t.mesh.publish(placed, { id: 'o2' })
  await expect(t.mesh.publishAll(batch('o3'), expecting(0))).rejects.toThrow(/MESH_EXPECTATION_FAILED.*sequence 2 came/)
})

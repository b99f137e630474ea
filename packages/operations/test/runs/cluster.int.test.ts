import { defineService, event, on, Reject, stream } from '@malha/mesh'
import { eventually, testCluster, testMesh } from '@malha/testing'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })
const COUNT = 60

it('on three servers a redrive outlives the leader of its records, and handles each letter once', async () => {
  await using cluster = await testCluster()
  await using test = await testMesh({ server: cluster, replicas: 3 })
  const { mesh } = test
  const called: number[] = []
  let isMended = false
  const bill = on(placed, { startFrom: 'all' }, ({ n }) => {
    if (!isMended) throw new Reject('no room')
    called.push(n)
  })
  const running = await mesh.start(defineService('shop', { handlers: { bill } }))
  for (let n = 0; n < COUNT; n++) await mesh.publish(placed, { n })
  using operations = await openOperations(mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(COUNT)
  })
  isMended = true
  const { id } = await operations.runs.redrive({ filter: {}, who: 'ana', limits: { perSecond: 20 } })
  const done = operations.runs.work(id, { who: 'ana' })
  await eventually(() => expect(called.length).toBeGreaterThan(5))
  await cluster.restart(await cluster.leader(mesh.nats, mesh.names.operations()))
  expect(await done).toMatchObject({
    state: 'done',
    counts: { sent: COUNT, ok: COUNT, failed: 0, overtaken: 0, gone: 0 },
  })
  expect(called.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, n) => n))
  await running.stop()
})

import { defineService, on } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { partitionOf } from '../../../src/message/key.ts'
import { moved, publishMoves, recorder, records } from './moves.ts'

test('what an instance takes over while it stops it lets go at once, though a call of another partition runs', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const gate = Promise.withResolvers<void>()
  const bill = on(moved, { order: 'key', startFrom: 'all' }, async (move, ctx) => {
    seen.note(move, ctx)
    await gate.promise
  })
  const itsPartition = partitionOf('o0', 16)
  const billing = defineService('billing', { handlers: { bill } })
  const first = await t.mesh.start(billing)
  await eventually(async () => expect(await records(t)).toHaveLength(16))
  await first.stop()
  await publishMoves(t.mesh, 1, 1)
  // Of these it looks twice, a second apart, before it takes them: what they speak of is not in the stream.
  const slow = (await records(t)).filter(({ partition }) => partition !== itsPartition)
  for (const { partition, text } of slow)
    await t.nats.request(
      `$KV.${t.namespace}_MESH_PARTITIONS.${t.namespace}_billing_bill.at.${partition}`,
      JSON.stringify({ ...(JSON.parse(text) as object), read: 99 }),
    )
  const running = await t.mesh.start(billing)
  await eventually(() => expect(seen.calls.length).toBe(1))
  const stopping = running.stop()
  const before = new Map(slow.map(({ partition, fence }) => [partition, fence]))
  await eventually(async () => {
    const taken = (await records(t)).filter(({ partition, fence }) => fence > before.get(partition)!)
    expect(taken.map(({ owner }) => owner)).toEqual(slow.map(() => ''))
  })
  gate.resolve()
  await stopping
})

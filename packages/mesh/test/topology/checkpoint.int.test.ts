import { setTimeout as sleep } from 'node:timers/promises'
import { testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { askAgain } from '../../src/topology/ask-again.ts'
import { openCheckpoints, readCheckpoint, writeCheckpoint } from '../../src/topology/checkpoint.ts'
import { CHECKPOINT_BUCKET } from '../../src/topology/system.ts'
import { DURABLE, handler, bench, ensure, store, work, deleteDurable, failure, keep } from './provider-bench.ts'

test('a durable that is gone is made again after its checkpoint, whatever startFrom says', async () => {
  await using own = await bench()
  const { epoch } = await ensure(own, handler())
  await store(own, 6)
  expect(await work(own, 4)).toEqual([1, 2, 3, 4])
  await writeCheckpoint(own.checkpoints, DURABLE, { v: 1, stream: 't_CENTERS', epoch, floor: 4, settled: 4 })
  await deleteDurable(own)
  const { log, lines } = keep()
  const again = await ensure(own, handler({ startFrom: 'new' }), { log })
  expect(again).toMatchObject({ created: true, startSeq: 5, settled: 4 })
  expect(lines.join()).toContain('made again after its last checkpoint')
  expect(await work(own, 5)).toEqual([5, 6])
})

test('a durable has a checkpoint from its first moment: gone before any work, it begins where it began', async () => {
  await using own = await bench()
  await store(own, 3)
  await ensure(own, handler({ startFrom: 'new' }))
  await store(own, 2)
  await deleteDurable(own)
  expect(await ensure(own, handler())).toMatchObject({ created: true, startSeq: 4 })
})

test('on a stream that was made again the durable begins at 1', async () => {
  await using own = await bench()
  const { epoch } = await ensure(own, handler())
  await own.checkpoints.put(
    DURABLE,
    JSON.stringify({ v: 1, stream: 't_CENTERS', epoch: epoch - 60, floor: 9, settled: 9 }),
  )
  await deleteDurable(own)
  await store(own, 2)
  expect(await ensure(own, handler())).toMatchObject({ created: true, startSeq: 1, settled: 0 })
  expect(await readCheckpoint(own.checkpoints, DURABLE)).toMatchObject({ epoch, floor: 0 })
})

test('a checkpoint past the end of its stream does not skip what comes next', async () => {
  await using own = await bench()
  const { epoch } = await ensure(own, handler())
  await store(own, 2)
  await writeCheckpoint(own.checkpoints, DURABLE, { v: 1, stream: 't_CENTERS', epoch, floor: 50, settled: 50 })
  await deleteDurable(own)
  expect(await ensure(own, handler())).toMatchObject({ startSeq: 3, settled: 2 })
})

test('a checkpoint only moves forward, and one of an earlier epoch changes nothing', async () => {
  await using own = await bench()
  const at = (epoch: number, floor: number, settled = floor): Promise<boolean> =>
    writeCheckpoint(own.checkpoints, 'd', { v: 1, stream: 's', epoch, floor, settled })
  expect(await at(7, 5)).toBe(true)
  expect(await at(7, 4)).toBe(false)
  expect(await at(6, 9)).toBe(false)
  expect(await at(7, 9, 3)).toBe(false)
  const racing = await Promise.all(Array.from({ length: 6 }, (_, index) => at(7, 10 + index)))
  expect(racing).toContain(true)
  expect(await readCheckpoint(own.checkpoints, 'd')).toMatchObject({ epoch: 7, floor: 15 })
  expect(await at(8, 1)).toBe(true)
})

test('a checkpoint of a newer release is not guessed at', async () => {
  await using own = await bench()
  await own.checkpoints.put(DURABLE, JSON.stringify({ v: 2 }))
  expect(await failure(ensure(own, handler()))).toContain('newer release')
})

test('a checkpoint is written once a server hears that the bucket listens, which a replica of it may be read on before', async () => {
  await using t = await testMesh()
  const jsm = await jetstreamManager(t.nats)
  const name = t.mesh.names.bucket(CHECKPOINT_BUCKET)
  // What a server knows of a bucket that was just made and is led by another one, far away.
  await jsm.streams.add({ name: `KV_${name}`, subjects: [`${t.namespace}.not-yet`], allow_direct: true })
  const bucket = await openCheckpoints(t.nats, t.mesh.names)
  expect(await bucket.get('d')).toBe(null)
  await expect(bucket.create('d', 'x')).rejects.toThrow('jetstream is not enabled')
  const writing = askAgain(() => bucket.create('d', 'x'))
  await sleep(600)
  await jsm.streams.update(`KV_${name}`, { subjects: [`$KV.${name}.>`] })
  expect(await writing).toBe(1)
})

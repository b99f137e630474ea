import { testMesh, type TestMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { truthUpTo } from '../../../src/consume/ordered/lost-end.ts'
import { firstOf, type Slice } from '../../../src/consume/ordered/slice.ts'
import { nanosOf } from '../../../src/consume/ordered/stored-delivery.ts'
import { getStored } from '../../../src/read/stored-message.ts'
import { streamState } from '../../../src/topology/stream-state.ts'
import { answering, groundFor, store, streamOf } from './one-partition.ts'

/** A stream of three events, whose leader knows less than that when it is asked for the first time. */
async function lagging(t: TestMesh, lags: string): Promise<{ slice: Slice; known: Parameters<typeof truthUpTo>[1] }> {
  await groundFor(t)
  await store(t, ['a', 'b', 'c'])
  const stream = streamOf(t)
  const last = await getStored(t.nats, stream, { seq: 3 })
  const { epoch } = await streamState(t.nats, stream)
  let asked = 0
  const nc = answering(t.nats, (subject, answer) => {
    if (!subject.includes(lags) || asked++ > 0) return answer
    return answer.state ? { ...answer, state: { ...answer.state, last_seq: 1 } } : { error: { code: 404 } }
  })
  const slice = { nc, stream, epoch, filter: `${t.namespace}.0.*` }
  return { slice, known: { read: 3, seen: 3, seenAt: nanosOf(last!.time) } }
}

test('a leader that is behind for a moment is no lost end', async () => {
  await using t = await testMesh()
  const { slice, known } = await lagging(t, 'STREAM.INFO')
  expect(await truthUpTo(slice, known)).toBe(3)
})

test('an end that is lost stays lost at the second look', async () => {
  await using t = await testMesh()
  const { slice, known } = await lagging(t, 'nothing')
  expect(await truthUpTo(slice, { ...known, seenAt: String(BigInt(known.seenAt) - 1n) })).toBe(2)
  expect(await truthUpTo(slice, { read: 9, seen: 9, seenAt: known.seenAt })).toBe(3)
})

test('of a stream that was made anew nothing is known', async () => {
  await using t = await testMesh()
  const { slice, known } = await lagging(t, 'nothing')
  expect(await truthUpTo({ ...slice, epoch: slice.epoch - 1 }, known)).toBe(undefined)
})

test('an event a leader did not know of at first is found', async () => {
  await using t = await testMesh()
  const { slice } = await lagging(t, 'MSG.GET')
  expect((await firstOf(slice, { from: 2, upTo: 3 }))?.seq).toBe(2)
  expect(await firstOf(slice, { from: 4, upTo: 3 })).toBe(undefined)
})

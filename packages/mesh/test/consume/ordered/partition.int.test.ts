import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import type { Line } from '../../../src/consume/ordered/key-turns.ts'
import type { Partition } from '../../../src/consume/ordered/partition.ts'
import { nanosOf } from '../../../src/consume/ordered/stored-delivery.ts'
import { getStored } from '../../../src/read/stored-message.ts'
import { answering, consumersMade, groundFor, onePartition, over, store, streamOf } from './one-partition.ts'

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

const waiting = { attempts: 1, failures: 1, firstFailureAt: 0, dueAt: 0, delayMs: 0 }

/** Begins and settles all that is ready. */
function settleAll({ partition, ready }: { partition: Partition; ready: Line[] }): number {
  const lines = ready.splice(0).filter((line) => partition.mayBegin(line))
  for (const line of lines) {
    void partition.work.begin(line)
    partition.work.settle(line)
  }
  return lines.length
}

test('with 1,000 keys that wait for a retry nothing more is read, though the time of all of them has come', async () => {
  await using t = await testMesh()
  await groundFor(t)
  const held = names('h', 1000)
  await store(t, held)
  const open = held.map((token, index) => ({ from: index + 1, token, retry: waiting }))
  await using one = await onePartition(t, { record: { read: 1000, open } })
  await eventually(() => expect(one.ready.length).toBe(1000))
  await store(t, ['next'])
  await sleep(200)
  expect(one.partition.floor.read).toBe(1000)
  expect(one.partition.counts.held).toBe(1000)
  settleAll(one)
  await eventually(() => expect(one.ready.map(({ token }) => token)).toEqual(['next']))
})

test('where a payload is small fewer keys may wait, so that the record of all of them is no larger', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, names('k', 12))
  const nc = over(t.nats, { info: { ...t.nats.info!, max_payload: 10 * 512 } })
  await using one = await onePartition(t, { nc, limit: 1 })
  for (let count = 1; count <= 10; count += 1) {
    await eventually(() => expect(one.ready.length).toBe(count))
    void one.partition.work.begin(one.ready.at(-1)!)
    one.partition.work.hold(one.ready.at(-1)!, { ...waiting, delayMs: 60_000 })
  }
  await eventually(async () => expect((await one.record())?.open).toHaveLength(10))
  await sleep(100)
  expect(one.partition.floor.read).toBe(10)
})

test.each([
  ['nothing may be read', 0],
  ['less may be read at once than a predecessor had in hand', 16],
])('where %s a partition is restored all the same, with one consumer', async (_, limit) => {
  await using t = await testMesh()
  await groundFor(t)
  const keys = names('k', 60)
  await store(t, keys)
  const made = consumersMade(t)
  const record = { read: 60, running: keys.map((_name, index) => index + 1) }
  await using one = await onePartition(t, { limit, record })
  await eventually(() => expect(one.ready.length).toBe(60), { timeoutMs: 5_000 })
  expect(made.count()).toBe(1)
})

test('however often the stream is read on anew, no more is in hand than the limit', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, names('k', 100))
  const made = consumersMade(t)
  await using one = await onePartition(t, { limit: 16 })
  for (let round = 1; round <= 3; round += 1) {
    await eventually(() => expect(one.ready.length).toBe(16))
    one.partition.refresh()
    await eventually(() => expect(made.count()).toBe(round + 1))
  }
  await sleep(100)
  expect(one.partition.counts.open).toBe(16)
  let done = 0
  await eventually(() => expect((done += settleAll(one))).toBe(100))
})

test('a leader that does not know all yet ends no restoring: what was in hand is handled', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a', 'b', 'c'])
  const knows = Promise.withResolvers<void>()
  let [isLagging, infos, lags] = [true, 0, 0]
  const nc = answering(t.nats, async (subject, answer) => {
    // Nothing is delivered meanwhile.
    if (subject.includes('CONSUMER.CREATE')) await knows.promise
    if (subject.includes('STREAM.INFO')) infos += 1
    const isGet = subject.endsWith(`MSG.GET.${streamOf(t)}`)
    if (!isLagging || (!isGet && infos < 2)) return answer
    lags += 1
    return isGet ? { error: { code: 404 } } : { ...answer, state: { ...answer.state, last_seq: 0 } }
  })
  await using one = await onePartition(t, { nc, record: { read: 3, running: [1, 3] } })
  await eventually(() => expect(lags).toBeGreaterThan(0))
  isLagging = false
  knows.resolve()
  await eventually(() => expect(one.ready.map(({ token }) => token)).toEqual(['a', 'c']))
})

test('a partition without events writes down how far the stream is, and which event stands there', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a'])
  await store(t, ['x', 'y', 'z'], 1)
  await using one = await onePartition(t, { maxAgeMs: 8 })
  await eventually(() => expect(settleAll(one)).toBe(1))
  await eventually(async () => expect(await one.record()).toMatchObject({ read: 1, running: [] }))
  const last = await getStored(t.nats, streamOf(t), { seq: 4 })
  await eventually(async () => {
    await one.partition.advance(4)
    expect(await one.record()).toMatchObject({ read: 4, seen: 4, seenAt: nanosOf(last!.time) })
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, hours, minutes, on, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { inversions, Move, recorder } from './moves.ts'
import { answering, groundFor, onePartition, store } from './one-partition.ts'

const tokens = (from: { readonly token: string }[]): string[] => from.map(({ token }) => token)
const times = (token: string, count: number): string[] => Array.from({ length: count }, () => token)

test('keys whose calls take long keep no other key of the partition from beginning, however much is behind them', async () => {
  await using t = await testMesh()
  await groundFor(t)
  for (const token of ['slow', 'slower']) await store(t, times(token, 40))
  await store(t, ['other'])
  // What an instance asks for with the default concurrency.
  await using one = await onePartition(t, { limit: 32 })
  await eventually(() => expect(tokens(one.ready)).toEqual(['slow', 'slower', 'other']))
})

test('keys whose calls never return leave what comes behind them in the stream, and others go on', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['never', 'neither', 'a'])
  await using one = await onePartition(t, { limit: 16 })
  await eventually(() => expect(tokens(one.ready)).toEqual(['never', 'neither', 'a']))
  for (const line of one.ready.splice(0)) {
    void one.partition.work.begin(line)
    if (line.token === 'a') one.partition.work.settle(line)
    else one.partition.work.stuck(line)
  }
  for (const token of ['never', 'neither']) await store(t, times(token, 20))
  await store(t, ['b'])
  await eventually(() => expect(tokens(one.ready)).toEqual(['b']))
  const [last] = one.ready
  void one.partition.work.begin(last!)
  one.partition.work.settle(last!)
  // Whoever takes it over reads on from here, and not again all since they began.
  await eventually(async () =>
    expect(await one.record()).toMatchObject({
      read: 44,
      running: [],
      open: [
        { from: 1, token: 'never' },
        { from: 2, token: 'neither' },
      ],
    }),
  )
})

test('a consumer that brings nothing any more is replaced, also while a key waits for its retry', async () => {
  await using t = await testMesh()
  const single = stream('SINGLE', { subjects: ['single.>'], maxAgeMs: hours(1), maxBytes: 1024 ** 2, partitions: 1 })
  const told = event('single.told', { stream: single, schema: Move, key: ({ orderId }) => orderId })
  const seen = recorder()
  const policy = retry({ minDelayMs: minutes(10), maxDelayMs: minutes(10), forMs: minutes(30) })
  const bill = on(told, { order: 'key', startFrom: 'all', retry: policy }, (move, ctx) => {
    seen.note(move, ctx)
    if (move.orderId === 'waits') throw new Error('not yet')
  })
  await t.mesh.start(defineService('billing', { handlers: { bill } }))
  await t.mesh.publish(told, { orderId: 'waits', n: 0 })
  await eventually(() => expect(seen.calls.length).toBe(1))
  const jsm = await jetstreamManager(t.nats)
  const name = `${t.namespace}_SINGLE`
  // It keeps answering that it is there, and has nothing.
  for await (const consumer of jsm.consumers.list(name))
    await jsm.consumers.pause(name, consumer.name, new Date(Date.now() + hours(1)))
  for (const n of [0, 1, 2]) await t.mesh.publish(told, { orderId: 'goes', n })
  await eventually(() => expect(seen.calls.length).toBe(4))
  expect(inversions(seen.calls)).toEqual([])
})

test('a server that takes long to make a consumer is waited for, not asked for another one', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a', 'b', 'c'])
  const nc = answering(t.nats, async (subject, answer) => {
    if (subject.includes('CONSUMER.CREATE')) await sleep(2_000)
    return answer
  })
  await using one = await onePartition(t, { nc, record: { read: 3, running: [1, 3] } })
  await eventually(() => expect(tokens(one.ready)).toEqual(['a', 'c']))
})

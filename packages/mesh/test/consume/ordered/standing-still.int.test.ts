import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { groundFor, onePartition, store } from './one-partition.ts'

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
    one.partition.begin(line)
    if (line.token === 'a') one.partition.settle(line)
    else one.partition.stuck(line)
  }
  for (const token of ['never', 'neither']) await store(t, times(token, 20))
  await store(t, ['b'])
  await eventually(() => expect(tokens(one.ready)).toEqual(['b']))
  const [last] = one.ready
  one.partition.begin(last!)
  one.partition.settle(last!)
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

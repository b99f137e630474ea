import { setTimeout as sleep } from 'node:timers/promises'
import { type Contract, defineService, event, on, Reject, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { inversions, type Move, Move as MoveSchema, moved, orders, publishMoves, recorder } from './moves.ts'

test('events of a key are handled in the order of the stream, each once', async () => {
  await using t = await testMesh()
  const seen = recorder()
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(moved, { order: 'key', startFrom: 'all', concurrency: 32 }, async (data, ctx) => {
          seen.note(data, ctx)
          await sleep(Math.random() * 4)
        }),
      },
    }),
  )
  await publishMoves(t.mesh, 50, 20)
  await eventually(() => expect(seen.calls.length).toBe(1000))
  expect(inversions(seen.calls)).toEqual([])
  expect(seen.calls.every(({ fence }) => fence > 0)).toBe(true)
})

test('a failing event holds its key and no other', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const others = () => seen.calls.filter(({ key }) => key !== 'o1')
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(
          moved,
          { order: 'key', startFrom: 'all', retry: retry({ attempts: 1_000, minDelayMs: 50, maxDelayMs: 200 }) },
          (data, ctx) => {
            seen.note(data, ctx)
            // However fast it is, it waits until all others are done.
            if (data.orderId === 'o1' && data.n === 2 && others().length < 200) throw new Error('not yet')
          },
        ),
      },
    }),
  )
  await publishMoves(t.mesh, 5, 50)
  await eventually(() => expect(new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size).toBe(250))
  expect(inversions(seen.calls)).toEqual([])
  expect(others().length).toBe(200)
})

test('a dead letter frees its key: what is behind it goes on', async () => {
  await using t = await testMesh()
  const seen = recorder()
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(moved, { order: 'key', startFrom: 'all' }, (data, ctx) => {
          seen.note(data, ctx)
          if (data.n === 1) throw new Reject('never')
        }),
      },
    }),
  )
  await publishMoves(t.mesh, 3, 4)
  await eventually(() => expect(seen.calls.length).toBe(12))
  expect(inversions(seen.calls)).toEqual([])
  const jsm = await jetstreamManager(t.nats)
  expect((await jsm.streams.info(`${t.namespace}_DEAD_LETTERS`)).state.messages).toBe(3)
})

test('an instance that stops leaves nothing undone, and the next one repeats nothing', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const billing = defineService('billing', {
    handlers: {
      bill: on(moved, { order: 'key', startFrom: 'all', concurrency: 8 }, async (data, ctx) => {
        seen.note(data, ctx)
        await sleep(1)
      }),
    },
  })
  const publishing = publishMoves(t.mesh, 20, 100)
  for (let round = 0; round < 4; round += 1) {
    const running = await (await t.connect()).start(billing)
    const before = seen.calls.length
    await eventually(() => expect(seen.calls.length).toBeGreaterThan(before + 150))
    await running.stop()
  }
  await publishing
  await t.mesh.start(billing)
  await eventually(() => expect(seen.calls.length).toBe(2000))
  await sleep(200)
  expect(seen.calls.length).toBe(2000)
  expect(inversions(seen.calls)).toEqual([])
})

test('events from before their contract had a key are one key of their own', async () => {
  await using t = await testMesh()
  const plain: Contract<Move> = event('order.moved', { stream: orders, schema: MoveSchema })
  await t.mesh.provision(defineService('source', { handlers: {}, publishes: [plain] }))
  for (let n = 0; n < 20; n += 1) await t.mesh.publish(plain, { orderId: `o${n % 3}`, n })
  const seen = recorder()
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(moved, { order: 'key', startFrom: 'all', concurrency: 8 }, async (data, ctx) => {
          seen.note({ ...data, orderId: ctx.key ?? '' }, ctx)
          await sleep(Math.random() * 5)
        }),
      },
    }),
  )
  await eventually(() => expect(seen.calls.length).toBe(20))
  expect(seen.calls.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n))
})

test('a stream of 256 partitions is shared by two instances', async () => {
  await using t = await testMesh()
  const wide = stream('WIDE', { subjects: ['wide.>'], partitions: 256, maxBytes: 64 * 1024 ** 2 })
  const told = event('wide.told', { stream: wide, schema: MoveSchema, key: ({ orderId }) => orderId })
  const seen = recorder()
  const service = (by: string) =>
    defineService('billing', {
      handlers: {
        bill: on(
          told,
          { order: 'key', startFrom: 'all', ackWaitMs: 3000 },
          (data, ctx) => void seen.note(data, ctx, by),
        ),
      },
    })
  await t.mesh.start(service('a'))
  await (await t.connect()).start(service('b'))
  await eventually(
    async () => {
      await Promise.all(Array.from({ length: 400 }, (_, n) => t.mesh.publish(told, { orderId: `o${n}`, n })))
      const last = seen.calls.slice(-400)
      const share = last.filter(({ by }) => by === 'a').length
      expect(share).toBeGreaterThan(100)
      expect(share).toBeLessThan(300)
    },
    { timeoutMs: 40_000, intervalMs: 500 },
  )
})

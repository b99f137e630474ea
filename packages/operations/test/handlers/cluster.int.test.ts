import { eventually, testCluster, testMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { openOperations, type Operations } from '../../src/index.ts'
import { newBook, numbers, place, shop } from './shop.ts'

const BILL = { service: 'shop', handler: 'bill', who: 'ana' } as const
const COUNT = 400

async function untilPaused(operations: Operations): Promise<void> {
  await eventually(
    async () => {
      const [bill] = await operations.handlers.list()
      const said = bill!.instances.map(({ paused, running }) => [paused?.who, running])
      expect(said).toEqual([
        ['ana', 0],
        ['ana', 0],
      ])
    },
    { timeoutMs: 40_000 },
  )
}

it('on three servers a pause holds while what it is written in, and what it stops, change their leaders, and is lifted under another one', async () => {
  await using cluster = await testCluster()
  await using test = await testMesh({ server: cluster, replicas: 3 })
  const { mesh, nats } = test
  const second = await test.connect()
  const book = newBook()
  // What a durable's old leader gave out, and was handed back, the new one gives again when its time is over.
  const slow = { concurrency: 2, ms: 3, ackWaitMs: 5000 }
  const running = await Promise.all([
    mesh.start(shop(book, { by: 'a', ...slow })),
    second.start(shop(book, { by: 'b', ...slow })),
  ])
  using operations = await openOperations(mesh)
  await place(mesh, 0, COUNT / 2)
  await eventually(() => expect(book.begun.length).toBeGreaterThan(10))
  await operations.handlers.pause({ ...BILL, reason: 'the bank is down' })
  await untilPaused(operations)
  const { length: before } = book.begun

  const [orders, durable] = [mesh.names.stream('ORDERS'), mesh.names.durable('shop', 'bill', 'keyed')]
  const bucket = `KV_${mesh.names.bucket('HANDLERS')}`
  await cluster.stepDown(nats, bucket)
  await cluster.stepDown(nats, orders)
  await cluster.stepDown(nats, orders, durable)
  await place(mesh, COUNT / 2, COUNT)
  await untilPaused(operations)
  // Nobody asks the new leader for anything. To whoever does it gives what is there: one to this test, and nothing else.
  const jsm = await jetstreamManager(nats)
  const { delivered } = await eventually(async () => {
    const info = await jsm.consumers.info(orders, durable)
    expect(info.num_waiting).toBe(0)
    return info
  })
  const taken = await (await jetstream(nats).consumers.get(orders, durable)).next({ expires: 10_000 })
  expect(taken).not.toBeNull()
  expect((await jsm.consumers.info(orders, durable)).delivered.consumer_seq).toBe(delivered.consumer_seq + 1)
  expect(book.begun).toHaveLength(before)
  taken!.nak()

  await cluster.stepDown(nats, bucket)
  const { after } = await eventually(() => operations.handlers.resume(BILL), { timeoutMs: 40_000 })
  expect(after).toMatchObject({ paused: null })
  await eventually(() => expect(new Set(book.done)).toEqual(new Set(numbers(0, COUNT))), { timeoutMs: 40_000 })
  await eventually(
    async () => {
      const [bill] = await operations.handlers.list()
      expect(bill!.instances.map(({ paused }) => paused)).toEqual([null, null])
    },
    { timeoutMs: 40_000 },
  )
  await Promise.all(running.map((one) => one.stop()))
})

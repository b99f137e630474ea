import { setTimeout as sleep } from 'node:timers/promises'
import { type Mesh, retry } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { describe, expect, it } from 'vitest'
import { openOperations, type Operations } from '../../src/index.ts'
import { type Book, bulkShop, newBook, numbers, place, shop } from './shop.ts'

const BILL = { service: 'shop', handler: 'bill', who: 'ana' } as const

const sorted = (list: readonly number[]): number[] => list.toSorted((a, b) => a - b)

/** Until every instance says that it is paused, and nothing of it runs any more. */
async function untilPaused(operations: Operations, instances: number): Promise<void> {
  await eventually(async () => {
    const [bill] = await operations.handlers.list()
    expect(bill!.instances.map(({ paused, running }) => [paused?.who, running])).toEqual(
      Array.from({ length: instances }, () => ['ana', 0]),
    )
  })
}

/** Nothing begins while the server gives out all it has: three rounds of its smallest unit of redelivery. */
async function expectStill(book: Book): Promise<void> {
  const before = book.begun.length
  await sleep(300)
  expect(book.begun).toHaveLength(before)
}

async function withTwo(book: Book): Promise<TestMesh & { second: Mesh; operations: Operations }> {
  const test = await testMesh()
  const second = await test.connect()
  // Few at once, so that there is always something in hand that was not begun.
  const slow = { concurrency: 2, ms: 3 }
  await Promise.all([test.mesh.start(shop(book, { by: 'a', ...slow })), second.start(shop(book, { by: 'b', ...slow }))])
  return { ...test, second, operations: await openOperations(test.mesh) }
}

describe.concurrent('a paused handler', () => {
  it('starts nothing in any instance under load, and loses and doubles nothing once it is resumed', async () => {
    const book = newBook()
    await using test = await withTwo(book)
    const { mesh, operations } = test
    const placing = place(mesh, 0, 2000)
    await eventually(() => expect(new Set(book.begun.map(({ by }) => by)).size).toBe(2))
    const change = await operations.handlers.pause({ ...BILL, reason: 'the bank is down' })
    expect(change).toMatchObject({
      before: null,
      after: { v: 1, paused: { until: null, who: 'ana', reason: 'the bank is down' } },
    })
    await untilPaused(operations, 2)
    await placing
    expect(book.done.length).toBeLessThan(2000)
    await expectStill(book)
    expect(mesh.health()).toEqual({ ready: true, reasons: [] })
    const resumed = await operations.handlers.resume(BILL)
    expect(resumed).toMatchObject({ before: { paused: { who: 'ana' } }, after: { paused: null } })
    await eventually(() => expect(sorted(book.done)).toEqual(numbers(0, 2000)), { timeoutMs: 20_000 })
    // What was handed back was no attempt.
    expect(book.begun.filter(({ attempt }) => attempt > 1)).toEqual([])
    const [bill] = await operations.handlers.list()
    expect(bill).toMatchObject({ paused: null, lag: { messages: 0, headroomMs: null } })
  })

  it('goes on by itself when its time is over', async () => {
    const book = newBook()
    await using test = await withTwo(book)
    await test.operations.handlers.pause({ ...BILL, reason: 'a moment', forMs: 6000 })
    await untilPaused(test.operations, 2)
    await place(test.mesh, 0, 20)
    await expectStill(book)
    // Sooner than an instance looks by itself.
    await eventually(() => expect(sorted(book.done)).toEqual(numbers(0, 20)), { timeoutMs: 20_000 })
    const [bill] = await test.operations.handlers.list()
    expect(bill!.paused).toBeNull()
    expect(bill!.instances.map(({ paused }) => paused)).toEqual([null, null])
  })

  it('stays paused when its service starts again, and in an instance that comes later', async () => {
    const book = newBook()
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const first = await test.mesh.start(shop(book))
    await operations.handlers.pause({ ...BILL, reason: 'moving house' })
    await first.stop()
    await place(test.mesh, 0, 20)
    await test.mesh.start(shop(book))
    await (await test.connect()).start(shop(book, { by: 'b' }))
    await untilPaused(operations, 2)
    await expectStill(book)
    expect(book.begun).toEqual([])
    await operations.handlers.resume(BILL)
    await eventually(() => expect(sorted(book.done)).toEqual(numbers(0, 20)))
  })

  it('can be paused while nobody runs it', async () => {
    const book = newBook()
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    await (await test.mesh.start(shop(book))).stop()
    await operations.handlers.pause({ ...BILL, reason: 'not yet' })
    await place(test.mesh, 0, 3)
    const [bill] = await operations.handlers.list()
    expect(bill).toMatchObject({ instances: [], breaker: null, paused: { reason: 'not yet' }, lag: { messages: 3 } })
    await test.mesh.start(shop(book))
    await untilPaused(operations, 1)
    expect(book.begun).toEqual([])
  })

  it('keeps what was tried before with its attempts, over the lane', async () => {
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const book = newBook()
    const policy = retry({ attempts: 5, minDelayMs: 1500, maxDelayMs: 1500 })
    await test.mesh.start(shop(book, { failsFirst: true, retry: policy }))
    await place(test.mesh, 0, 10)
    await eventually(() => expect(book.begun).toHaveLength(10))
    await operations.handlers.pause({ ...BILL, reason: 'later' })
    await untilPaused(operations, 1)
    // Their time has come by then.
    await sleep(1800)
    expect(book.begun).toHaveLength(10)
    const [bill] = await operations.handlers.list()
    expect(bill).toMatchObject({ instances: [{ retrying: 0, ready: 0 }], lag: { messages: 0 } })
    await operations.handlers.resume(BILL)
    await eventually(() => expect(book.begun).toHaveLength(20))
    expect(book.begun.slice(10).map(({ attempt }) => attempt)).toEqual(Array.from({ length: 10 }, () => 2))
  })

  it('keeps the order of its keys over a pause', async () => {
    const book = newBook()
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    await test.mesh.start(shop(book, { order: 'key', ackWaitMs: 2000, ms: 20 }))
    await place(test.mesh, 0, 400)
    await eventually(() => expect(book.done.length).toBeGreaterThan(20))
    await operations.handlers.pause({ ...BILL, reason: 'stocktaking' })
    await untilPaused(operations, 1)
    expect(book.done.length).toBeLessThan(400)
    await expectStill(book)
    await operations.handlers.resume(BILL)
    await eventually(() => expect(sorted(book.done)).toEqual(numbers(0, 400)), { timeoutMs: 20_000 })
    const byKey = Object.groupBy(book.begun, ({ n }) => n % 16)
    for (const events of Object.values(byKey))
      expect(events!.map(({ n }) => n)).toEqual(sorted(events!.map(({ n }) => n)))
  })

  it('lets messages of a redrive wait on its lane', async () => {
    const book = newBook()
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const rejecting = await test.mesh.start(shop(book, { rejects: true }))
    await place(test.mesh, 0, 5)
    await eventually(async () => {
      await operations.letters.refresh()
      expect(operations.letters.list().total).toBe(5)
    })
    await rejecting.stop()
    await operations.handlers.pause({ ...BILL, reason: 'not before noon' })
    await test.mesh.start(shop(book))
    await untilPaused(operations, 1)
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
    const work = operations.runs.work(id, { who: 'ana' })
    await eventually(async () => expect((await operations.handlers.list())[0]!.lane.pending).toBe(5))
    expect(book.begun).toHaveLength(5)
    await operations.handlers.resume(BILL)
    expect(await work).toMatchObject({ state: 'done', counts: { sent: 5, ok: 5 } })
    expect(sorted(book.done)).toEqual(numbers(0, 5))
  })

  it('begins no batch', async () => {
    const book = newBook()
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    await test.mesh.start(bulkShop(book))
    await place(test.mesh, 0, 100)
    await eventually(() => expect(book.done).toHaveLength(100))
    await operations.handlers.pause({ ...BILL, reason: 'the bulk loader moves' })
    await untilPaused(operations, 1)
    await place(test.mesh, 100, 200)
    await expectStill(book)
    await expect(operations.handlers.set({ ...BILL, concurrency: 5 })).rejects.toThrow(/a batch of 10/)
    await operations.handlers.resume(BILL)
    await eventually(() => expect(sorted(book.done)).toEqual(numbers(0, 200)))
  })
})

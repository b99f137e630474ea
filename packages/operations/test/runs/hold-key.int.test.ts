/** `onDeadLetter: 'hold-key'`: what is behind a dead letter of its key waits until somebody has dealt with that. */
import {
  defineService,
  event,
  type Mesh,
  on,
  Reject,
  retry,
  type RunningService,
  stream,
  type StreamDef,
} from '@malha/mesh'
import { eventually, faultProxy, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations, type Operations } from '../../src/index.ts'

/** One partition has all keys. */
const ordersFor = (maxAgeMs: number): StreamDef =>
  stream('ORDERS', { subjects: ['order.>'], partitions: 1, maxAgeMs, maxBytes: 64 * 1024 ** 2 })
const Move = z.object({ order: z.string(), n: z.number() })
const movedIn = (orders: StreamDef) => event('order.moved', { stream: orders, schema: Move, key: ({ order }) => order })
const moved = movedIn(ordersFor(3_600_000))

type Call = z.infer<typeof Move>
type Shop = RunningService & { calls: Call[] }

const brief = retry({ attempts: 1, forMs: 500 })

const refuseFirst = ({ order, n }: Call): void => {
  if (order === 'a' && n === 0) throw new Reject('no room')
}

async function startShop(
  mesh: Mesh,
  act: (call: Call) => void = () => undefined,
  { onDeadLetter = 'hold-key', source = moved }: { onDeadLetter?: 'hold-key' | 'skip'; source?: typeof moved } = {},
): Promise<Shop> {
  const calls: Call[] = []
  const bill = on(source, { order: 'key', startFrom: 'all', ackWaitMs: 2000, onDeadLetter, retry: brief }, (call) => {
    calls.push(call)
    act(call)
  })
  return Object.assign(await mesh.start(defineService('shop', { handlers: { bill } })), { calls })
}

async function publish(mesh: Mesh, from: number, to: number, of: readonly string[] = ['a', 'b']): Promise<void> {
  for (let n = from; n < to; n++) for (const order of of) await mesh.publish(moved, { order, n })
}

const numbersOf = ({ calls }: Pick<Shop, 'calls'>, key: string): number[] =>
  calls.filter(({ order }) => order === key).map(({ n }) => n)

const upTo = (end: number, from = 0): number[] => Array.from({ length: end - from }, (_, at) => at + from)

async function heldKeys(operations: Operations): Promise<number | null | undefined> {
  const [bill] = await operations.handlers.list()
  return bill?.instances.reduce((sum, one) => sum + (one.heldKeys ?? 0), 0)
}

const all = { filter: { service: 'shop' }, who: 'ana' }

async function redrive(operations: Operations): Promise<object> {
  await operations.letters.refresh()
  const { id } = await operations.runs.redrive(all)
  return (await operations.runs.work(id, { who: 'ana' })).counts
}

/** A key that is held behind its first event, another that went on. */
async function withHeldKey(): Promise<TestMesh & { shop: Shop; operations: Operations }> {
  const test = await testMesh()
  const shop = await startShop(test.mesh, refuseFirst)
  await publish(test.mesh, 0, 40)
  const operations = await openOperations(test.mesh)
  await eventually(() => expect(numbersOf(shop, 'b')).toEqual(upTo(40)))
  await eventually(async () => expect(await heldKeys(operations)).toBe(1))
  expect(numbersOf(shop, 'a')).toEqual([0])
  return { ...test, shop, operations }
}

describe('a key that is held behind a dead letter', () => {
  it('waits, also when the letter failed again, and comes in order once that was sent with success, while others go on', async () => {
    await using test = await withHeldKey()
    const { operations, shop } = test
    expect(await operations.letters.holdsKey(await operations.letters.read(1))).toBe(true)
    expect((await operations.handlers.list())[0]).toMatchObject({ heldKeys: 1 })
    expect(await operations.why('a')).toMatchObject({
      situation: 'behind-letter',
      sentence: expect.stringContaining('order.moved a is held behind dead letter 1 of its key in shop/bill'),
      next: 'malha dlq show 1',
    })
    expect(await redrive(operations)).toMatchObject({ sent: 1, failed: 1 })
    await publish(test.mesh, 40, 50)
    await eventually(() => expect(numbersOf(shop, 'b')).toEqual(upTo(50)))
    expect(numbersOf(shop, 'a')).toEqual([0, 0])
    await shop.stop()
    await using mended = await startShop(test.mesh)
    await publish(test.mesh, 50, 52)
    await eventually(() => expect(numbersOf(mended, 'b')).toEqual([50, 51]))
    expect(numbersOf(mended, 'a')).toEqual([])
    expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 1 })
    await eventually(() => expect(numbersOf(mended, 'a')).toEqual(upTo(52)))
    expect(await heldKeys(operations)).toBe(0)
    expect(await operations.letters.holdsKey(await operations.letters.read(1))).toBe(false)
    await publish(test.mesh, 52, 53)
    await eventually(() => expect(numbersOf(mended, 'a')).toEqual(upTo(53)))
  })

  it('goes on without the letter when that is discarded', async () => {
    await using test = await withHeldKey()
    const { operations, shop } = test
    await operations.letters.refresh()
    await operations.letters.discard(1, { who: 'ana', reason: 'a test order' })
    await eventually(() => expect(numbersOf(shop, 'a')).toEqual(upTo(40)), { timeoutMs: 10_000 })
    await shop.stop()
  })

  it('is still held when the instance that had it is cut off, and comes in order from the next one', async () => {
    await using test = await testMesh()
    await using proxy = await faultProxy({ target: test.url })
    const away = await startShop(await test.connect({ servers: proxy.url }), refuseFirst)
    await publish(test.mesh, 0, 20)
    await eventually(() => expect(numbersOf(away, 'b')).toEqual(upTo(20)))
    proxy.stall()
    await using shop = await startShop(test.mesh)
    await publish(test.mesh, 20, 30)
    await eventually(() => expect(numbersOf(shop, 'b')).toEqual(expect.arrayContaining(upTo(30, 20))), {
      timeoutMs: 20_000,
    })
    expect(numbersOf(shop, 'a')).toEqual([])
    const operations = await openOperations(test.mesh)
    expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 1 })
    await eventually(() => expect(numbersOf(shop, 'a')).toEqual(upTo(30)))
    proxy.resume()
    await away.stop()
    expect(numbersOf(away, 'a')).toEqual([0])
  })

  it('holds back what is replayed of it from behind the letter too, and handles what is from before', async () => {
    await using test = await testMesh()
    const act = ({ order, n }: Call): void => {
      if (order === 'a' && n === 2) throw new Reject('no room')
    }
    await using shop = await startShop(test.mesh, act)
    await publish(test.mesh, 0, 5, ['a'])
    const operations = await openOperations(test.mesh)
    await eventually(async () => expect(await heldKeys(operations)).toBe(1))
    const { id } = await operations.runs.replay({ service: 'shop', handler: 'bill', who: 'ana' })
    const replayed = operations.runs.work(id, { who: 'ana' })
    await eventually(() => expect(numbersOf(shop, 'a')).toEqual([0, 1, 2, 0, 1, 2]))
    await eventually(async () => expect((await operations.runs.read(id)).counts).toMatchObject({ ok: 2, failed: 1 }))
    await operations.letters.refresh()
    await operations.letters.discard(1, { who: 'ana', reason: 'a test order' })
    expect((await replayed).counts).toMatchObject({ sent: 5, ok: 4, failed: 1 })
    await eventually(() => expect(numbersOf(shop, 'a')).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 3, 4]))
  })

  it('goes on where its letter was removed', async () => {
    await using test = await withHeldKey()
    const jsm = await jetstreamManager(test.nats)
    await jsm.streams.deleteMessage(test.mesh.names.stream('DEAD_LETTERS'), 1)
    // What it finds out by itself within a minute.
    await eventually(() => {
      test.nats.publish(test.mesh.names.control('shop'), 'bill')
      expect(numbersOf(test.shop, 'a')).toEqual(upTo(40))
    })
    await test.shop.stop()
  })

  it('goes on in a release that holds none', async () => {
    await using test = await withHeldKey()
    await test.shop.stop()
    await using skipping = await startShop(test.mesh, undefined, { onDeadLetter: 'skip' })
    await eventually(() => expect(numbersOf(skipping, 'a')).toEqual(upTo(40, 1)))
  })

  it('tells what aged out behind it, each once, and goes on with what is left', async () => {
    const young = movedIn(ordersFor(1_000))
    await using test = await testMesh()
    await using shop = await startShop(test.mesh, refuseFirst, { source: young })
    for (const n of upTo(5)) await test.mesh.publish(young, { order: 'a', n })
    const operations = await openOperations(test.mesh)
    await eventually(async () => expect(await heldKeys(operations)).toBe(1))
    const jsm = await jetstreamManager(test.nats)
    const name = test.mesh.names.stream('ORDERS')
    await eventually(async () => expect((await jsm.streams.info(name)).state.messages).toBe(0), { timeoutMs: 10_000 })
    // Those of others that are handled age out, too: nobody is told of them.
    let n = 5
    await eventually(
      async () => {
        await test.mesh.publish(young, { order: 'b', n: n++ })
        expect((await jsm.streams.info(name)).state.first_seq).toBeGreaterThan(15)
      },
      { timeoutMs: 15_000 },
    )
    await operations.letters.refresh()
    const ranges = operations.letters.list({ kind: 'expired' }).letters.map(({ origin }) => origin.seq)
    expect(ranges).toEqual(['2-5'])
    expect(numbersOf(shop, 'a')).toEqual([0])
    await operations.letters.discard(1, { who: 'ana', reason: 'a test order' })
    // On a busy machine one may age out before its turn.
    await eventually(async () => {
      await test.mesh.publish(young, { order: 'a', n: n++ })
      expect(numbersOf(shop, 'a').filter((one) => one > 5)).not.toEqual([])
    })
    expect(numbersOf(shop, 'a').filter((one) => one <= 4)).toEqual([0])
  })
})

/** Runs of handlers that keep the order of keys: what a run sends has its turn with its key, in one place at a time. */
import {
  defineService,
  event,
  getStored,
  type Mesh,
  on,
  Reject,
  retry,
  type RetryPolicy,
  type RunningService,
  stream,
} from '@malha/mesh'
import { eventually, faultProxy, testMesh, type TestMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { headers } from '@nats-io/nats-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations, type Operations, type Run } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'], partitions: 4 })
const moved = event('order.moved', {
  stream: orders,
  schema: z.object({ order: z.string(), n: z.number() }),
  key: ({ order }) => order,
})

type Call = { order: string; n: number; id: string; attempt: number }
type Shop = RunningService & { calls: Call[]; beside: string[]; overlaps: Call[] }
type Options = { act?: (call: Call) => void | Promise<void>; policy?: Partial<RetryPolicy> }

type Seen = Pick<Shop, 'calls' | 'beside' | 'overlaps'> & { busy: Set<string> }

/** Calls of several instances in the order they begin, and those that began while another of their key ran. */
const shared = (): Seen => ({ calls: [], beside: [], overlaps: [], busy: new Set() })

async function startShop(
  mesh: Mesh,
  { act = () => undefined, policy = { attempts: 3 } }: Options = {},
  { calls, beside, overlaps, busy }: Seen = shared(),
): Promise<Shop> {
  const bill = on(
    moved,
    { order: 'key', startFrom: 'all', ackWaitMs: 2000, retry: retry({ minDelayMs: 200, ...policy }) },
    async ({ order, n }, { id, attempt }) => {
      const call = { order, n, id, attempt }
      calls.push(call)
      if (busy.has(order)) overlaps.push(call)
      busy.add(order)
      try {
        await new Promise((resolve) => setImmediate(resolve))
        await act(call)
      } finally {
        busy.delete(order)
      }
    },
  )
  const count = on(moved, { startFrom: 'all' }, (_, { id }) => void beside.push(id))
  const running = await mesh.start(defineService('shop', { handlers: { bill, count } }))
  return Object.assign(running, { calls, beside, overlaps })
}

const keys = ['a', 'b/1', 'c', 'd', 'e']

async function publish(mesh: Mesh, from: number, to: number, of: readonly string[] = keys): Promise<void> {
  for (let n = from; n < to; n++) await Promise.all(of.map((order) => mesh.publish(moved, { order, n })))
}

const numbersOf = (calls: readonly Call[], key: string): number[] =>
  calls.filter(({ order }) => order === key).map(({ n }) => n)

async function lettersOf(operations: Operations, total: number): Promise<void> {
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list({ state: 'open' }).total).toBe(total)
  })
}

const refuse = ({ n }: Call): void => {
  if (n % 2 === 0) throw new Reject('no room')
}

/** Moves of which every second one is a dead letter. */
async function withLetters(): Promise<TestMesh & { operations: Operations; failed: Call[] }> {
  const test = await testMesh()
  const shop = await startShop(test.mesh, { act: refuse })
  await publish(test.mesh, 0, 6)
  const operations = await openOperations(test.mesh)
  await lettersOf(operations, 15)
  await eventually(() => expect(shop.beside).toHaveLength(30))
  await shop.stop()
  return { ...test, operations, failed: shop.calls.filter(({ n }) => n % 2 === 0) }
}

/** Of what is on the lane, as a runner leaves it that sends again what it does not know to be sent. */
async function sendCopy({ mesh, nats }: TestMesh): Promise<void> {
  const filter = `${mesh.names.laneOfKeys('shop', 'bill')}>`
  const sent = await eventually(async () => {
    const found = await getStored(nats, mesh.names.lanes('shop'), { seq: 1, next_by_subj: filter })
    expect(found).toBeDefined()
    return found!
  })
  const hdrs = headers()
  for (const [name, value] of sent.pairs) if (!name.startsWith('Nats-')) hdrs.append(name, value)
  await jetstream(nats).publish(sent.subject, sent.payload, { headers: hdrs })
}

const all = { filter: { service: 'shop' }, who: 'ana', limits: { perSecond: 10_000 } }

describe('a run of a handler that keeps the order of keys', () => {
  it('sends letters again in the order of each key, each once, beside no other event of its key, while more comes in', async () => {
    await using test = await withLetters()
    const second = await test.connect()
    const common = shared()
    await using _one = await startShop(test.mesh, {}, common)
    await using _two = await startShop(second, {}, common)
    const more = publish(test.mesh, 6, 40)
    const { id } = await test.operations.runs.redrive(all)
    const run = await test.operations.runs.work(id, { who: 'ana' })
    expect(run).toMatchObject({ state: 'done', counts: { sent: 15, ok: 15, failed: 0, overtaken: 0 } })
    await more
    const { calls, beside, overlaps } = common
    await eventually(() => expect([calls.length, beside.length]).toEqual([15 + 34 * 5, 34 * 5]))
    expect(overlaps).toEqual([])
    for (const key of keys) {
      const numbers = numbersOf(calls, key)
      expect(numbers.filter((n) => n < 6)).toEqual([0, 2, 4])
      expect(numbers.filter((n) => n >= 6)).toEqual(Array.from({ length: 34 }, (_, at) => at + 6))
    }
    const again = calls.filter(({ n }) => n < 6).map((call) => call.id)
    expect(again.toSorted()).toEqual(test.failed.map((call) => call.id).toSorted())
    await lettersOf(test.operations, 0)
  })

  it('what fails again is open again and is sent once more; what was removed from its lane is not waited for', async () => {
    await using test = await withLetters()
    await using shop = await startShop(test.mesh, { act: refuse })
    const first = await test.operations.runs.redrive(all)
    expect(await test.operations.runs.work(first.id, { who: 'ana' })).toMatchObject({
      counts: { sent: 15, ok: 0, failed: 15 },
    })
    await lettersOf(test.operations, 15)
    await shop.stop()
    await using mended = await startShop(test.mesh)
    const run = await test.operations.runs.redrive(all)
    expect(await test.operations.runs.work(run.id, { who: 'ana' })).toMatchObject({ counts: { sent: 15, ok: 15 } })
    expect(mended.overlaps).toEqual([])
  })

  it('a letter is handled while the next event of its key waits for a retry, which may be for want of it', async () => {
    await using test = await testMesh()
    const done: number[] = []
    let isMended = false
    const act = ({ n }: Call): void => {
      if (n === 0 && !isMended) throw new Reject('no room')
      if (n > done.length) throw new Error('the one before is missing')
      done.push(n)
    }
    await using shop = await startShop(test.mesh, { act, policy: { attempts: 1000 } })
    await publish(test.mesh, 0, 3, ['a'])
    const operations = await openOperations(test.mesh)
    await lettersOf(operations, 1)
    await eventually(() => expect(shop.calls.filter(({ n }) => n === 1).length).toBeGreaterThan(1))
    isMended = true
    const { id } = await operations.runs.redrive(all)
    expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({ counts: { ok: 1 } })
    await eventually(() => expect(done).toEqual([0, 1, 2]))
    expect(shop.overlaps).toEqual([])
  })

  it('replays a part of a stream in the order of each key, each event once', async () => {
    await using test = await testMesh()
    const second = await test.connect()
    const common = shared()
    await using _one = await startShop(test.mesh, {}, common)
    await using _two = await startShop(second, {}, common)
    await publish(test.mesh, 0, 30)
    await eventually(() => expect([common.calls.length, common.beside.length]).toEqual([150, 150]))
    const ids = common.calls.map(({ id }) => id)
    common.calls.length = 0
    const operations = await openOperations(test.mesh)
    const of = { service: 'shop', handler: 'bill', from: { seqs: { from: 26 } } }
    const { id } = await operations.runs.replay({ ...of, who: 'ana', limits: { perSecond: 10_000 } })
    const more = publish(test.mesh, 30, 50)
    expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({
      state: 'done',
      counts: { sent: 125, ok: 125 },
    })
    await more
    await eventually(() => expect(common.calls).toHaveLength(125 + 100))
    expect(common.overlaps).toEqual([])
    const replayed = common.calls.filter(({ n }) => n < 30)
    for (const key of keys) expect(numbersOf(replayed, key)).toEqual(Array.from({ length: 25 }, (_, at) => at + 5))
    expect(new Set(replayed.map((call) => call.id)).difference(new Set(ids)).size).toBe(0)
    expect(common.beside).toHaveLength(250)
  })

  it('a message whose owner is cut off in the middle of it is handled by the next owner, and what that one came to counts', async () => {
    await using test = await withLetters()
    await using proxy = await faultProxy({ target: test.url })
    const gate = Promise.withResolvers<void>()
    const away = await startShop(await test.connect({ servers: proxy.url }), { act: () => gate.promise })
    const { id } = await test.operations.runs.redrive({ ...all, filter: { service: 'shop', letters: [1] } })
    const work = test.operations.runs.work(id, { who: 'ana' })
    await eventually(() => expect(away.calls).toHaveLength(1))
    await sendCopy(test)
    proxy.stall()
    await using shop = await startShop(test.mesh)
    await eventually(() => expect(shop.calls).toHaveLength(1), { timeoutMs: 20_000 })
    expect(shop.calls[0]).toMatchObject({ id: away.calls[0]!.id })
    expect(await work).toMatchObject({ state: 'done', counts: { sent: 1, ok: 1 } })
    gate.resolve()
    proxy.resume()
    await publish(test.mesh, 6, 8)
    await eventually(() => expect(shop.calls.length + away.calls.length).toBe(2 + 10), { timeoutMs: 20_000 })
    await lettersOf(test.operations, 14)
    await away.stop()
  })

  it('a letter that fails on and on is open again in the end, though each owner counts its attempts anew', async () => {
    await using test = await withLetters()
    const fail = (): void => {
      throw new Error('not yet')
    }
    const handOver = async (): Promise<Shop> =>
      startShop(test.mesh, { act: fail, policy: { attempts: 1000, forMs: 3000 } })
    let shop = await handOver()
    const { id } = await test.operations.runs.redrive({ ...all, filter: { service: 'shop', letters: [1] } })
    const work = test.operations.runs.work(id, { who: 'ana' })
    const over = new AbortController()
    void work.finally(() => over.abort())
    // None has it for as long as its policy allows.
    while (!over.signal.aborted) {
      await eventually(() => expect(over.signal.aborted || shop.calls.length > 0).toBe(true))
      await shop.stop()
      if (!over.signal.aborted) shop = await handOver()
    }
    expect(await work).toMatchObject({ state: 'done', counts: { sent: 1, ok: 0, failed: 1 } })
    await lettersOf(test.operations, 15)
    expect(test.operations.letters.list({ letters: [1] }).letters[0]).toMatchObject({ redrives: 1 })
  })

  it('two runs of the same letters, and a runner that sends again what one before had sent, handle each once', async () => {
    await using test = await withLetters()
    const { operations } = test
    const [first, other] = await Promise.all([operations.runs.redrive(all), operations.runs.redrive(all)])
    const entries = await new Kvm(test.nats).open(test.mesh.names.bucket('RUNS'))
    const stopping = new AbortController()
    const runner = operations.runs.work(first.id, { who: 'ana', signal: stopping.signal })
    await eventually(async () => expect((await operations.runs.read(first.id)).counts.sent).toBe(15))
    stopping.abort()
    await runner
    // As one that was killed between sending and writing that down leaves it.
    const entry = (await entries.get(first.id))!
    const run = entry.json<Run>()
    await entries.update(
      first.id,
      JSON.stringify({ ...run, cursor: 0, counts: { ...run.counts, sent: 0 } }),
      entry.revision,
    )
    await using shop = await startShop(test.mesh)
    const done = await Promise.all([first, other].map(({ id }) => operations.runs.work(id, { who: 'ben' })))
    expect(done.map(({ state }) => state)).toEqual(['done', 'done'])
    expect(shop.calls).toHaveLength(15)
    expect(shop.overlaps).toEqual([])
    const jsm = await jetstreamManager(test.nats)
    const onLane = { subjects_filter: `${test.mesh.names.laneOfKeys('shop', 'bill')}>` }
    await eventually(async () =>
      expect((await jsm.streams.info(test.mesh.names.lanes('shop'), onLane)).state.subjects ?? {}).toEqual({}),
    )
  })
})

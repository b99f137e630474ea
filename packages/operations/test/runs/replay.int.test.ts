import {
  command,
  defineService,
  event,
  type HandlerOptions,
  type Mesh,
  on,
  Reject,
  retry,
  type RunningService,
  stream,
} from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations, type Operations, type Run } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ n: z.number() }),
  key: ({ n }) => `o/${n % 10}`,
})
/** Its subjects look like those of an order that was placed, with a key. */
const split = event('order.placed.again.apart', { stream: orders, schema: z.object({ n: z.number() }) })
const charge = command('order.charge', { stream: orders, schema: z.object({ n: z.number() }), priorities: true })

type Seen = { id: string; n: number; attempt: number; causationId: string; correlationId: string }
type Shop = { running: RunningService; called: Seen[]; beside: string[] }

async function startShop(
  mesh: Mesh,
  { act = () => undefined, ...options }: HandlerOptions & { act?: (seen: Seen) => void | Promise<void> } = {},
): Promise<Shop> {
  const called: Seen[] = []
  const beside: string[] = []
  const bill = on(placed, { startFrom: 'all', ...options }, async ({ n }, ctx) => {
    const { id, attempt, causationId = '', correlationId } = ctx
    const seen = { id, n, attempt, causationId, correlationId }
    called.push(seen)
    await act(seen)
  })
  const count = on(placed, { startFrom: 'all' }, (_, { id }) => void beside.push(id))
  const pay = on(charge, { startFrom: 'all' }, () => undefined)
  return { running: await mesh.start(defineService('shop', { handlers: { bill, count, pay } })), called, beside }
}

/** Orders that were handled, and what else is in their stream. */
async function withOrders(
  count: number,
  options: Parameters<typeof startShop>[1] = {},
): Promise<TestMesh & Shop & { ids: string[]; operations: Operations }> {
  const test = await testMesh()
  const shop = await startShop(test.mesh, options)
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    ids.push((await test.mesh.publish(placed, { n })).id)
    if (n % 4 === 0) await test.mesh.publish(split, { n })
  }
  await eventually(() => expect([shop.called.length, shop.beside.length]).toEqual([count, count]))
  shop.called.length = 0
  shop.beside.length = 0
  return { ...test, ...shop, ids, operations: await openOperations(test.mesh) }
}

const bill = { service: 'shop', handler: 'bill' }
const fast = { perSecond: 10_000 }

/** The entry of a run as it was, as if its runner had been killed before it wrote anything of what it did. */
async function rewind(mesh: Mesh, run: Run): Promise<void> {
  const bucket = await new Kvm(mesh.nats).open(mesh.names.bucket('RUNS'))
  await bucket.put(run.id, JSON.stringify(run))
}

/** No copy of a message is recognised by its id any more. */
async function forgetIds(mesh: Mesh): Promise<void> {
  const jsm = await jetstreamManager(mesh.nats)
  const lanes = mesh.names.lanes('shop')
  const { config } = await jsm.streams.info(lanes)
  await jsm.streams.update(lanes, { ...config, duplicate_window: 100_000_000 })
}

describe('a replay', () => {
  it('sends events of a stream to one handler, each once, under its id, and to nobody else', async () => {
    await using test = await withOrders(40)
    const { operations, mesh, ids, called, beside } = test
    const jsm = await jetstreamManager(mesh.nats)
    const before = await jsm.streams.info(mesh.names.stream(orders))
    const plan = await operations.runs.planReplay(bill)
    expect(plan).toMatchObject({ total: 40, stream: mesh.names.stream(orders), shadow: false })
    expect(plan.samples.map(({ id }) => id)).toEqual(ids.slice(0, 5))
    expect(called).toEqual([])

    const { id } = await operations.runs.replay({ ...bill, who: 'ana', reason: 'bills were lost', limits: fast })
    const run = await operations.runs.work(id, { who: 'ana' })
    expect(run).toMatchObject({
      kind: 'replay',
      state: 'done',
      total: 40,
      counts: { sent: 40, ok: 40, already: 0, failed: 0, overtaken: 0, skipped: 0, gone: 0 },
    })
    expect(called.map((one) => one.id).toSorted()).toEqual(ids.toSorted())
    expect(beside).toEqual([])
    expect((await jsm.streams.info(mesh.names.stream(orders))).state).toEqual(before.state)
    expect(await operations.runs.list()).toEqual([run])
    await test.running.stop()
  })

  it('takes the part of a stream that is asked for, counted exactly', async () => {
    await using test = await withOrders(40)
    const { operations, mesh } = test
    const total = async (from: object, handler = 'bill'): Promise<number> =>
      (await operations.runs.planReplay({ service: 'shop', handler, from })).total
    expect(await total({ seqs: { from: 11, to: 20 } })).toBe(8)
    expect(await total({ key: 'o/3' })).toBe(4)
    expect(await total({ key: 'o/3', seqs: { to: 20 } })).toBe(2)
    expect(await total({ type: 'order.placed', stream: 'ORDERS' })).toBe(40)
    // What was stored after somebody looked is not among what is sent.
    const seen = await operations.runs.planReplay({ ...bill, upTo: 20 })
    expect(seen).toMatchObject({ upTo: 20, total: await total({ seqs: { to: 20 } }) })
    const cut = await operations.runs.replay({ ...bill, upTo: seen.upTo, who: 'ana' })
    expect(cut).toMatchObject({ upTo: 20, total: seen.total })
    await operations.runs.cancel(cut.id, { who: 'ana' })
    const jsm = await jetstreamManager(mesh.nats)
    const stored = await Promise.all(
      Array.from({ length: 50 }, (_, at) => jsm.streams.getMessage(mesh.names.stream(orders), { seq: at + 1 })),
    )
    // Told to the millisecond: the first is among them, the second is not.
    const [from, to] = [stored[9]!.time, stored[30]!.time]
    const isWithin = (time: Date): boolean => time >= from && time < to
    const expected = stored.filter((one) => one!.header.get('ce-type') === placed.type && isWithin(one!.time))
    expect(await total({ times: { from: from.toISOString(), to: to.toISOString() } })).toBe(expected.length)
    expect(await total({ times: { from: '2000-01-01T00:00:00Z', to: '2001-01-01T00:00:00Z' } })).toBe(0)
    for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(charge, { n: 1 }, { priority })
    expect(await total({}, 'pay')).toBe(3)
    await test.running.stop()
  })

  it('is taken up past any window by another runner after one that wrote nothing down, and handles each event once', async () => {
    await using test = await withOrders(50)
    const { operations, mesh, called } = test
    await forgetIds(mesh)
    const begun = await operations.runs.replay({ ...bill, who: 'ana', limits: fast })
    const done = await operations.runs.work(begun.id, { who: 'ana' })
    for (let time = 0; time < 2; time++) {
      await new Promise((resolve) => setTimeout(resolve, 300))
      await rewind(mesh, begun)
      const { counts, state } = await operations.runs.work(begun.id, { who: 'ana' })
      expect({ counts, state }).toEqual({ counts: done.counts, state: 'done' })
    }
    expect(done.counts).toMatchObject({ sent: 50, ok: 50 })
    await eventually(async () => {
      const jsm = await jetstreamManager(mesh.nats)
      expect((await jsm.streams.info(mesh.names.lanes('shop'))).state.messages).toBe(0)
    })
    expect(called).toHaveLength(50)
    await test.running.stop()
  })

  it('what failed is a dead letter, is counted, and stops it where that is too much', async () => {
    await using test = await withOrders(30)
    await test.running.stop()
    const { operations, mesh } = test
    const failing = await startShop(mesh, { act: () => Promise.reject(new Reject('no room')) })
    const limits = { ...fast, atOnce: 2, mostFailures: 3 }
    const { id } = await operations.runs.replay({ ...bill, who: 'ana', limits })
    const run = await operations.runs.work(id, { who: 'ana' })
    expect(run.state).toBe('stopped')
    expect(run.counts.sent).toBeLessThan(30)
    await operations.letters.refresh()
    await eventually(async () => {
      await operations.letters.refresh()
      expect(operations.letters.list().total).toBe(run.counts.sent)
    })
    await failing.running.stop()
  })

  it('an event whose outputs are stored already is told as already done by their marker, and nothing is published twice', async () => {
    await using test = await testMesh()
    const { mesh } = test
    const paid = event('order.paid', { stream: orders, schema: z.object({ n: z.number() }) })
    const bill = on(placed, { startFrom: 'all', effects: 'once' }, (order, ctx) => ctx.publish(paid, order))
    const running = await mesh.start(defineService('shop', { handlers: { bill }, publishes: [paid] }))
    for (let n = 0; n < 3; n++) await mesh.publish(placed, { n })
    const jsm = await jetstreamManager(mesh.nats)
    const outputs = async (): Promise<unknown> => {
      const filter = mesh.names.subject('order.paid')
      return (await jsm.streams.info(mesh.names.stream(orders), { subjects_filter: filter })).state.subjects
    }
    const once = { [mesh.names.subject('order.paid')]: 3 }
    await eventually(async () => expect(await outputs()).toEqual(once))
    using operations = await openOperations(mesh)
    const { id } = await operations.runs.replay({ service: 'shop', handler: 'bill', who: 'ana' })
    const { counts } = await operations.runs.work(id, { who: 'ana' })
    expect(counts).toMatchObject({ sent: 3, ok: 0, already: 3, failed: 0 })
    expect(await outputs()).toEqual(once)
    const record = await jsm.streams.getMessage(mesh.names.operations(), {
      last_by_subj: `${mesh.names.runRecords(mesh.names.durable('shop', 'bill'), id)}>`,
    })
    expect(record?.json()).toMatchObject({ kind: 'ok', already: 'marker' })
    await running.stop()
  })

  it('an event that its handler is done with by its inbox is told as already done, without a call', async () => {
    await using test = await withOrders(5, { inbox: { keepMs: 120_000 } })
    const { operations, called } = test
    const { id } = await operations.runs.replay({ ...bill, who: 'ana' })
    const { counts } = await operations.runs.work(id, { who: 'ana' })
    expect(counts).toMatchObject({ sent: 5, ok: 0, already: 5 })
    expect(called).toEqual([])
    await test.running.stop()
  })

  it('as new messages the same events come under other ids, the same for every runner, with where they are from', async () => {
    await using test = await withOrders(3, { inbox: { keepMs: 120_000 } })
    const { operations, mesh, called, ids } = test
    await forgetIds(mesh)
    const begun = await operations.runs.replay({ ...bill, who: 'ana', asNew: true })
    expect((await operations.runs.work(begun.id, { who: 'ana' })).counts).toMatchObject({ sent: 3, ok: 3, already: 0 })
    await rewind(mesh, begun)
    expect((await operations.runs.work(begun.id, { who: 'ana' })).counts).toMatchObject({ sent: 3, ok: 3 })
    expect(called).toHaveLength(3)
    expect(called.map(({ causationId }) => causationId).toSorted()).toEqual(ids.toSorted())
    expect(called.map(({ correlationId }) => correlationId).toSorted()).toEqual(ids.toSorted())
    expect(called.filter(({ id }) => ids.includes(id))).toEqual([])
    await test.running.stop()
  })

  it('a new message that dies has a letter of its own beside that of its event, and is sent again under the same id', async () => {
    await using test = await testMesh()
    const { mesh } = test
    let isMended = false
    const shop = await startShop(mesh, { act: () => (isMended ? undefined : Promise.reject(new Reject('no room'))) })
    await mesh.publish(placed, { n: 1 })
    using operations = await openOperations(mesh)
    await eventually(() => expect(shop.called).toHaveLength(1))
    const begun = await operations.runs.replay({ ...bill, who: 'ana', asNew: true })
    expect((await operations.runs.work(begun.id, { who: 'ana' })).counts).toMatchObject({ failed: 1 })
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(2)
    isMended = true
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
    expect((await operations.runs.work(id, { who: 'ana' })).counts).toMatchObject({ sent: 2, ok: 2 })
    const seen = shop.called.map((one) => one.id)
    expect(seen.slice(2).toSorted()).toEqual(seen.slice(0, 2).toSorted())
    await shop.running.stop()
  })

  it('leaves a retry of the event itself alone when its own waits too', async () => {
    await using test = await testMesh()
    const { mesh } = test
    const away = (): Promise<void> => Promise.reject(new Error('the partner is away'))
    const policy = retry({ attempts: 50, minDelayMs: 500, maxDelayMs: 500 })
    const first = await startShop(mesh, { retry: policy, act: away })
    await mesh.publish(placed, { n: 1 })
    await eventually(() => expect(first.called.length).toBeGreaterThan(0))
    using operations = await openOperations(mesh)
    const { id } = await operations.runs.replay({ ...bill, who: 'ana' })
    const done = operations.runs.work(id, { who: 'ana' })
    await eventually(() => expect(first.called.filter(({ attempt }) => attempt === 1)).toHaveLength(2))
    // What waits in the process goes to the lane now: both, each on a subject of its own.
    await first.running.stop()
    const second = await startShop(mesh)
    expect((await done).counts).toMatchObject({ sent: 1, ok: 1 })
    await eventually(() => expect(second.called).toHaveLength(2))
    await second.running.stop()
  })

  it('of two people who begin the same one gets it, and either may begin it again when it is over', async () => {
    await using test = await withOrders(5)
    const { operations } = test
    const begin = async (who: string): Promise<Run> => await operations.runs.replay({ ...bill, who })
    const both = await Promise.allSettled([begin('ana'), begin('rui')])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(String(both.find((one) => one.status === 'rejected')!.reason)).toMatch(/OPERATIONS_RUN_UNDER_WAY: run .* of/)
    const [run] = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    await operations.runs.work(run!.id, { who: 'ana' })
    expect(test.called).toHaveLength(5)
    await operations.runs.work((await begin('rui')).id, { who: 'rui' })
    expect(test.called).toHaveLength(10)
    await test.running.stop()
  })

  it('does not go on with another stream of that name', async () => {
    await using test = await withOrders(20)
    const { operations, mesh } = test
    const { id } = await operations.runs.replay({ ...bill, who: 'ana', limits: { perSecond: 1 } })
    const jsm = await jetstreamManager(mesh.nats)
    await test.running.stop()
    const { config } = await jsm.streams.info(mesh.names.stream(orders))
    // Its epoch is a whole second.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await jsm.streams.delete(mesh.names.stream(orders))
    await jsm.streams.add(config)
    await expect(operations.runs.work(id, { who: 'ana' })).rejects.toThrow(
      /OPERATIONS_SLICE_GONE: stream .* was made anew/,
    )
  })

  it('is refused where its handler cannot take it, or what is asked for makes no sense', async () => {
    await using test = await withOrders(1)
    const { runs } = test.operations
    const asked = (from: object, handler = 'bill'): Promise<unknown> =>
      runs.replay({ service: 'shop', handler, from, who: 'ana' })
    await expect(asked({ type: 'order.charge' })).rejects.toThrow(
      /handler bill of shop takes order.placed, not order.charge/,
    )
    await expect(asked({ stream: 'CENTERS' })).rejects.toThrow(/OPERATIONS_HANDLER_UNFIT: .*does not read .*CENTERS/)
    await expect(asked({}, 'pack')).rejects.toThrow(/OPERATIONS_HANDLER_UNFIT: handler pack of shop has no lane/)
    await expect(asked({ seqs: { from: 0, to: -1 }, times: { from: 'noon' } })).rejects.toThrow(
      /OPERATIONS_INVALID_OPTIONS: seqs.from is 0.*; seqs.to is -1.*; times.from is no time/,
    )
    await expect(asked({ key: 'nobody' })).rejects.toThrow(/OPERATIONS_NOTHING_TO_SEND/)
    await test.running.stop()
  })
})

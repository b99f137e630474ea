import {
  defineService,
  event,
  type Mesh,
  on,
  provisionOperations,
  Reject,
  retry,
  type RunningService,
  runMessage,
  stream,
} from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { headers } from '@nats-io/nats-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type ListedLetter, openOperations, type Operations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ n: z.number() }),
  key: ({ n }) => `o-${n}`,
})

type Called = { id: string; n: number; attempt: number }
type Act = (called: Called) => void | Promise<void>

/** A service with a handler that does as it is told, and one beside it that must hear of nothing twice. */
async function startShop(
  mesh: Mesh,
  bill: Act,
): Promise<{ running: RunningService; called: Called[]; beside: string[] }> {
  const called: Called[] = []
  const beside: string[] = []
  const shop = defineService('shop', {
    handlers: {
      bill: on(
        placed,
        { startFrom: 'all', retry: retry({ attempts: 3, minDelayMs: 2000 }) },
        async ({ n }, { id, attempt }) => {
          called.push({ id, n, attempt })
          await bill({ id, n, attempt })
        },
      ),
      count: on(placed, { startFrom: 'all' }, (_, { id }) => void beside.push(id)),
    },
  })
  return { running: await mesh.start(shop), called, beside }
}

const refuse: Act = () => Promise.reject(new Reject('no room'))

/** Orders that the shop has given up. */
async function withLetters(count: number): Promise<TestMesh & { ids: string[]; operations: Operations }> {
  const test = await testMesh()
  const shop = await startShop(test.mesh, refuse)
  const ids: string[] = []
  for (let n = 0; n < count; n++) ids.push((await test.mesh.publish(placed, { n })).id)
  const operations = await openOperations(test.mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(count)
    expect(shop.beside).toHaveLength(count)
  })
  await shop.running.stop()
  return { ...test, ids, operations }
}

const statesOf = (operations: Operations): string[] =>
  operations.letters.list({}, { limit: 1000 }).letters.map(({ state }) => state)

/** As other clients' events leave their letters, whose headers take all the room: without a payload. */
async function leaveOut(mesh: Mesh, letters: readonly ListedLetter[]): Promise<void> {
  const name = mesh.names.stream('DEAD_LETTERS')
  const jsm = await jetstreamManager(mesh.nats)
  for (const { seq, subject } of letters) {
    const stored = (await jsm.streams.getMessage(name, { seq }))!
    const hdrs = headers()
    for (const [key, values] of stored.header) for (const value of values) hdrs.append(key, value)
    hdrs.set('Nats-Msg-Id', `${subject}-again`)
    hdrs.set('malha-dlq-payload', 'left-out')
    await jsm.streams.deleteMessage(name, seq)
    await jetstream(mesh.nats).publish(mesh.names.subject(subject), '', { headers: hdrs })
  }
}

describe('a redrive', () => {
  it('sends what failed to the mended handler, each once, under its id, and to nobody else', async () => {
    await using test = await withLetters(40)
    const { operations, ids } = test
    const shop = await startShop(test.mesh, () => undefined)
    const plan = await operations.runs.plan({ service: 'shop' })
    expect(plan).toMatchObject({ total: 40, handlers: [{ service: 'shop', handler: 'bill', letters: 40 }] })
    expect(plan.samples.map(({ key }) => key)).toEqual(['o-0', 'o-1', 'o-2', 'o-3', 'o-4'])
    expect(shop.called).toEqual([])

    const { id } = await operations.runs.redrive({
      filter: { service: 'shop' },
      who: 'ana',
      reason: 'room was made',
      limits: { perSecond: 1000 },
    })
    const run = await operations.runs.work(id, { who: 'ana' })
    expect(run).toMatchObject({
      state: 'done',
      total: 40,
      who: 'ana',
      counts: { sent: 40, ok: 40, failed: 0, overtaken: 0, skipped: 0, gone: 0 },
    })
    expect(shop.called.map(({ id: handled }) => handled).toSorted()).toEqual(ids.toSorted())
    expect(shop.beside).toEqual([])
    await operations.letters.refresh()
    expect(new Set(statesOf(operations))).toEqual(new Set(['resolved']))
    expect(await operations.runs.list()).toEqual([run])
    await expect(operations.runs.redrive({ filter: {}, who: 'ana' })).rejects.toThrow(/OPERATIONS_NOTHING_TO_SEND/)
    await shop.running.stop()
  })

  it('sends just the letters that were chosen, or those that a plan showed and none written since', async () => {
    await using test = await withLetters(6)
    const { operations } = test
    const chosen = operations.letters.list({}, { limit: 2 }).letters.map(({ seq }) => seq)
    const shown = await operations.runs.plan({ service: 'shop' })
    const refusing = await startShop(test.mesh, refuse)
    await test.mesh.publish(placed, { n: 6 })
    await eventually(async () => {
      await operations.letters.refresh()
      expect(operations.letters.list().total).toBe(7)
    })
    await refusing.running.stop()
    const shop = await startShop(test.mesh, () => undefined)
    const few = await operations.runs.redrive({ filter: { letters: chosen }, who: 'ana' })
    expect(await operations.runs.work(few.id, { who: 'ana' })).toMatchObject({
      total: 2,
      counts: { sent: 2, ok: 2, skipped: 0 },
    })
    const rest = await operations.runs.redrive({ filter: { service: 'shop' }, who: 'ana', upTo: shown.upTo })
    expect(await operations.runs.work(rest.id, { who: 'ana' })).toMatchObject({ total: 4, counts: { sent: 4, ok: 4 } })
    expect(shop.called.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
    await operations.letters.refresh()
    expect(operations.letters.list({ state: 'open' }).letters).toMatchObject([{ key: 'o-6' }])
    await shop.running.stop()
  })

  it('what fails again is open again, has no second letter, and can be sent again', async () => {
    await using test = await withLetters(3)
    const { operations } = test
    const shop = await startShop(test.mesh, ({ n }) => (n === 1 ? refuse({ id: '', n, attempt: 1 }) : undefined))
    const first = await operations.runs.redrive({ filter: {}, who: 'ana' })
    expect(await operations.runs.work(first.id, { who: 'ana' })).toMatchObject({
      state: 'done',
      counts: { sent: 3, ok: 2, failed: 1 },
    })
    await operations.letters.refresh()
    expect(operations.letters.list({ state: 'open' }).letters).toMatchObject([
      { key: 'o-1', redrives: 1, run: first.id },
    ])
    expect(operations.letters.list().total).toBe(3)

    const second = await operations.runs.redrive({ filter: {}, who: 'ana' })
    expect(await operations.runs.work(second.id, { who: 'ana' })).toMatchObject({
      total: 1,
      counts: { sent: 1, ok: 0, failed: 1, skipped: 0, gone: 0 },
    })
    const last = await operations.runs.redrive({ filter: {}, who: 'ana', limits: { mostRedrives: 2 } })
    expect(await operations.runs.work(last.id, { who: 'ana' })).toMatchObject({
      counts: { sent: 0, skipped: 1, gone: 0 },
    })
    await shop.running.stop()
  })

  it('stops when too many fail again', async () => {
    await using test = await withLetters(20)
    const shop = await startShop(test.mesh, refuse)
    const { id } = await test.operations.runs.redrive({
      filter: {},
      who: 'ana',
      limits: { mostFailures: 3, atOnce: 2 },
    })
    const run = await test.operations.runs.work(id, { who: 'ana' })
    expect(run.state).toBe('stopped')
    expect(run.counts.sent).toBeLessThan(20)
    // What was under way when it stopped is handled all the same.
    await eventually(() => expect(shop.called.length).toBe(run.counts.sent))
    await shop.running.stop()
  })

  it('a message that is sent twice is handled once', async () => {
    await using test = await withLetters(1)
    const { operations, mesh } = test
    const [letter] = operations.letters.list().letters as ListedLetter[]
    const { payload, headers: pairs } = await operations.letters.read(letter!.seq)
    await provisionOperations(mesh)
    for (const copy of ['one', 'two', 'three']) {
      const { origin, subject } = letter!
      const place = {
        ...origin,
        epoch: origin.epoch!,
        seq: Number(origin.seq),
        storedAt: subject.split('@')[1]!,
        publishedAt: origin.publishedAt!,
      }
      const sent = runMessage(mesh.names, {
        run: 'r1',
        service: 'shop',
        handler: 'bill',
        origin: place,
        headers: pairs,
        record: mesh.names.letterRecord(subject),
        expected: 0,
      })
      const hdrs = headers()
      for (const [name, value] of sent.headers) hdrs.append(name, name === 'Nats-Msg-Id' ? copy : value)
      await jetstream(mesh.nats).publish(sent.subject, payload, { headers: hdrs })
    }
    const shop = await startShop(mesh, () => undefined)
    const jsm = await jetstreamManager(mesh.nats)
    await eventually(async () => expect((await jsm.streams.info(mesh.names.lanes('shop'))).state.messages).toBe(0))
    expect(shop.called).toHaveLength(1)
    await operations.letters.refresh()
    expect(operations.letters.list().letters).toMatchObject([{ state: 'resolved', redrives: 1, run: 'r1' }])
    await shop.running.stop()
  })

  it('a runner that is gone is followed by another, which sends only what is left', async () => {
    await using test = await withLetters(30)
    const { operations } = test
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana', limits: { perSecond: 20 } })
    // Nobody handles yet, so all that the first one sends is under way when it goes.
    const gone = new AbortController()
    const first = await operations.runs.work(id, {
      who: 'ana',
      signal: gone.signal,
      onProgress: ({ counts }) => counts.sent >= 5 && gone.abort(),
    })
    expect(first.state).toBe('running')
    expect(first.counts.sent).toBeLessThan(30)
    const shop = await startShop(test.mesh, () => undefined)
    using again = await openOperations(test.mesh)
    expect(await again.runs.work(id, { who: 'ana' })).toMatchObject({
      state: 'done',
      counts: { sent: 30, ok: 30, overtaken: 0 },
    })
    expect(shop.called).toHaveLength(30)
    await shop.running.stop()
  })

  it('two runs of the same letters handle each once, whoever sends it', async () => {
    await using test = await withLetters(30)
    const { operations } = test
    using other = await openOperations(test.mesh)
    const limits = { perSecond: 200 }
    const one = await operations.runs.redrive({ filter: {}, who: 'ana', limits })
    const two = await other.runs.redrive({ filter: {}, who: 'rui', limits })
    const shop = await startShop(test.mesh, () => undefined)
    const runs = await Promise.all([
      operations.runs.work(one.id, { who: 'ana' }),
      other.runs.work(two.id, { who: 'ana' }),
    ])
    expect(shop.called).toHaveLength(30)
    const counts = runs.map((run) => run.counts)
    expect(counts[0]!.ok + counts[1]!.ok).toBe(30)
    for (const { sent, ok, overtaken, skipped } of counts) {
      expect(ok + overtaken).toBe(sent)
      expect(sent + skipped).toBe(30)
    }
    await shop.running.stop()
  })

  it('a message that waits for another attempt keeps its claim when its process ends', async () => {
    await using test = await withLetters(1)
    const { operations } = test
    const first = await startShop(test.mesh, () => Promise.reject(new Error('the partner is away')))
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
    const done = operations.runs.work(id, { who: 'ana' })
    await eventually(() => expect(first.called).toHaveLength(1))
    await first.running.stop()
    const second = await startShop(test.mesh, () => undefined)
    expect(await done).toMatchObject({ state: 'done', counts: { sent: 1, ok: 1, failed: 0, overtaken: 0 } })
    expect(second.called).toMatchObject([{ attempt: 2 }])
    await second.running.stop()
  })

  it('is paused, resumed and cancelled by whoever looks after it', async () => {
    await using test = await withLetters(20)
    const { operations } = test
    using other = await openOperations(test.mesh)
    const shop = await startShop(test.mesh, () => undefined)
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana', limits: { perSecond: 10 } })
    const done = operations.runs.work(id, { who: 'ana' })
    await eventually(() => expect(shop.called.length).toBeGreaterThan(0))
    await other.runs.pause(id, { who: 'ana' })
    await eventually(async () => {
      const { counts, state } = await other.runs.read(id)
      expect(state).toBe('paused')
      // Whoever pauses it writes down what was counted before.
      expect(counts.sent).toBeGreaterThan(0)
      expect(counts.ok).toBe(counts.sent)
    })
    await other.runs.cancel(id, { who: 'ana' })
    const run = await done
    expect(run.state).toBe('cancelled')
    expect(run.counts.sent).toBeLessThan(20)
    expect(shop.called).toHaveLength(run.counts.ok)
    await expect(other.runs.resume(id, { who: 'ana' })).rejects.toThrow(/OPERATIONS_RUN_OVER/)
    await expect(other.runs.read('nothing')).rejects.toThrow(/OPERATIONS_NO_RUN/)
    await shop.running.stop()
  })

  it('a letter without its payload is sent from its stream, and is gone where that has forgotten it', async () => {
    await using test = await withLetters(2)
    const { operations, mesh } = test
    await leaveOut(mesh, operations.letters.list().letters)
    const jsm = await jetstreamManager(mesh.nats)
    await jsm.streams.deleteMessage(mesh.names.stream(orders), 1)
    const shop = await startShop(mesh, () => undefined)
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
    const run = await operations.runs.work(id, { who: 'ana' })
    const lost = operations.letters.list().letters.find(({ origin }) => origin.seq === '1')
    expect(run).toMatchObject({ state: 'done', counts: { sent: 1, ok: 1, gone: 1 }, gone: [lost!.seq] })
    expect(shop.called.map(({ n }) => n)).toEqual([1])
    await shop.running.stop()
  })

  it('letters that somebody removes after the run began count as gone, whether it comes upon them or not', async () => {
    await using test = await withLetters(6)
    const { operations, mesh } = test
    const shop = await startShop(mesh, () => undefined)
    await operations.letters.discard(6, { who: 'ana', reason: 'not of the run' })
    const { id, total } = await operations.runs.redrive({ filter: { service: 'shop' }, who: 'ana' })
    expect(total).toBe(5)
    await operations.letters.discard(5, { who: 'ana', reason: 'somebody is faster' })
    const jsm = await jetstreamManager(mesh.nats)
    for (const seq of [1, 3]) await jsm.streams.deleteMessage(mesh.names.stream('DEAD_LETTERS'), seq)
    const run = await operations.runs.work(id, { who: 'ana' })
    expect(run).toMatchObject({ state: 'done', counts: { sent: 2, ok: 2, skipped: 1, gone: 2 } })
    expect(shop.called.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual([1, 3])
    await shop.running.stop()
  })

  it('a run with letters that are gone is taken up by another runner, which counts each once', async () => {
    await using test = await withLetters(6)
    const { operations, mesh } = test
    await leaveOut(mesh, operations.letters.list().letters)
    const jsm = await jetstreamManager(mesh.nats)
    for (const seq of [2, 5]) await jsm.streams.deleteMessage(mesh.names.stream(orders), seq)
    const shop = await startShop(mesh, () => undefined)
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana', limits: { perSecond: 1000 } })
    const begun = await operations.runs.read(id)
    const counts = { sent: 4, ok: 4, failed: 0, overtaken: 0, skipped: 0, gone: 2 }
    expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({ state: 'done', counts })
    // As one that was killed before it wrote anything down, and then as one that was killed behind its last letter.
    for (const cursor of [0, begun.upTo]) {
      const bucket = await new Kvm(mesh.nats).open(mesh.names.bucket('RUNS'))
      const sent = cursor === 0 ? 0 : 4
      await bucket.put(id, JSON.stringify({ ...begun, cursor, counts: { ...begun.counts, sent } }))
      using again = await openOperations(mesh)
      expect(await again.runs.work(id, { who: 'rui' })).toMatchObject({ state: 'done', counts })
    }
    expect(shop.called).toHaveLength(4)
    await shop.running.stop()
  })

  it('goes on where the handler’s durables are deleted in mid-run: nothing is lost, and nothing is handled twice', async () => {
    await using test = await withLetters(60)
    const { operations, mesh, ids } = test
    const { names } = mesh
    const jsm = await jetstreamManager(mesh.nats)
    const lane = { stream: names.lanes('shop'), durable: names.durable('shop', 'bill') }
    const remove = async ({ stream: of, durable }: typeof lane): Promise<boolean> =>
      await jsm.consumers.delete(of, durable)
    let isHeld = true
    const release = Promise.withResolvers<void>()
    const shop = await startShop(mesh, () => (isHeld ? release.promise : undefined))
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana', limits: { perSecond: 200 } })
    const working = operations.runs.work(id, { who: 'ana' })
    await eventually(() => expect(shop.called.length).toBeGreaterThan(2))
    // Some are in hand, others lie on the lane, and more are still to be sent.
    await remove({ stream: names.stream(orders), durable: names.durable('shop', 'bill', 'keyed') })
    await remove(lane)
    // A running instance makes it again.
    await eventually(() => jsm.consumers.info(lane.stream, lane.durable), { timeoutMs: 30_000 })
    isHeld = false
    release.resolve()
    expect(await working).toMatchObject({ state: 'done', total: 60, counts: { sent: 60, ok: 60, failed: 0, gone: 0 } })
    const handled = shop.called.map((each) => each.id)
    expect(handled.toSorted()).toEqual(ids.toSorted())
    expect(shop.beside).toEqual([])
    await shop.running.stop()
  })

  it('is refused where what becomes of its letters has no room, and nothing is written or sent', async () => {
    await using test = await withLetters(6)
    const { operations, mesh } = test
    const shop = await startShop(mesh, () => undefined)
    await provisionOperations(mesh)
    const jsm = await jetstreamManager(mesh.nats)
    const name = mesh.names.operations()
    // A revision of its own: the mesh leaves what somebody declared anew as it is.
    const { metadata } = (await jsm.streams.info(name)).config
    await jsm.streams.update(name, { max_bytes: 2000, metadata: { ...metadata, 'malha.revision': '99' } })
    await expect(operations.runs.redrive({ filter: {}, who: 'ana' })).rejects.toThrow(
      new RegExp(`^OPERATIONS_NO_ROOM: what becomes of 6 messages takes some 1 MB in ${name}, which has 0 left$`),
    )
    expect(await operations.runs.list()).toEqual([])
    expect((await jsm.streams.info(name)).state.messages).toBe(0)
    // It is the letters that are too many.
    const { id } = await operations.runs.redrive({ filter: { letters: [1, 2] }, who: 'ana' })
    expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({ counts: { sent: 2, ok: 2 } })
    await shop.running.stop()
  })

  it('limits out of bounds and handlers that are not there are refused before anything is sent', async () => {
    await using test = await withLetters(1)
    const { runs } = test.operations
    await expect(runs.redrive({ filter: {}, who: 'ana', limits: { perSecond: 0, atOnce: 1.5 } })).rejects.toThrow(
      /OPERATIONS_INVALID_OPTIONS: perSecond is 0.*; atOnce is 1.5/,
    )
    const jsm = await jetstreamManager(test.mesh.nats)
    await jsm.streams.delete(test.mesh.names.lanes('shop'))
    await expect(runs.plan({})).rejects.toThrow(/OPERATIONS_HANDLER_UNFIT: handler bill of shop has no lane/)
  })
})

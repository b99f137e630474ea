import { type Contract, defineService, event, keyToken, type Metrics, noMetrics, stream } from '@malha/mesh'
import {
  confirmSwap,
  type Entry,
  projection,
  type ProjectionDef,
  type ProjectionStores,
  readProjection,
  runProjection,
  swapTo,
} from '@malha/patterns'
import { eventually, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { shake, testBrokers } from './brokers.ts'

const tills = stream('TILLS', { subjects: ['till.>'], maxBytes: 64 * 1024 ** 2 })
const Moved = z.object({ till: z.string(), cents: z.int() })
type Moved = z.infer<typeof Moved>
const base = { stream: tills, schema: Moved, key: (data: Moved) => data.till }
const added: Contract<Moved> = event('till.added', base)
const taken: Contract<Moved> = event('till.taken', base)
const counted: Contract<Moved> = event('till.counted', base)

type Balance = { by: number; cents: number; moves: number }
const events = { added, taken }

/** Each version says which one made it. */
const balances = (version: number, gaps: 'refuse' | 'accept' = 'refuse'): ProjectionDef<Balance, typeof events> =>
  projection('balances', {
    version,
    events,
    gaps,
    project: (view: Balance | undefined, { type, data }) => ({
      by: version,
      moves: (view?.moves ?? 0) + 1,
      cents: (view?.cents ?? 0) + (type === 'added' ? data.cents : -data.cents),
    }),
  })

async function provision(t: TestMesh): Promise<void> {
  await t.mesh.provision(defineService('tills', { handlers: {}, publishes: [added] }))
}

/** `count` events over ten tills, one after the other in each. */
async function fill(t: TestMesh, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) =>
      t.mesh.publish(n % 3 === 2 ? taken : added, { till: `t${n % 10}`, cents: 1 }),
    ),
  )
}

const bucketsOf = async (t: TestMesh): Promise<string[]> => {
  const own = `KV_${t.namespace}_`
  const names = await Array.fromAsync((await jetstreamManager(t.nats)).streams.names())
  return names.filter((name) => name.startsWith(`${own}PROJECTION_`)).map((name) => name.slice(own.length))
}

const brokers = testBrokers()

for (const broker of brokers) {
  test.concurrent(`a new version is built beside the live one, and readers only ever see one that is whole; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    await fill(t, 600)
    const reader = await readProjection(t.mesh, balances(2))
    await expect(reader.get('t1')).rejects.toThrow('PATTERNS_PROJECTION_NOT_LIVE')
    await using first = await runProjection(t.mesh, balances(1))
    await first.caughtUp
    expect(await reader.get('t1')).toEqual({ by: 1, moves: 60, cents: 20 })
    expect(await reader.get('nobody')).toBeUndefined()

    const over = new AbortController()
    const seen: Balance[] = []
    const reading = (async () => {
      while (!over.signal.aborted) seen.push((await reader.get('t1'))!)
    })()
    const writing = (async () => {
      for (let n = 0; !over.signal.aborted; n++) await t.mesh.publish(added, { till: 't1', cents: 1 })
    })()
    await eventually(() => expect(seen.length).toBeGreaterThan(10))
    const atStart = seen.at(-1)!.moves
    await using second = await runProjection(t.mesh, balances(2))
    await second.caughtUp
    await eventually(() => expect(seen.at(-1)?.by).toBe(2))
    over.abort()
    await Promise.all([reading, writing])
    expect(seen.every(({ by }, at) => by >= (seen[at - 1]?.by ?? 0))).toBe(true)
    expect(seen.find(({ by }) => by === 2)?.moves).toBeGreaterThanOrEqual(atStart)
    // Of the first sixty events twenty add up to what they take; each after them adds a cent.
    expect(seen.filter(({ moves, cents }) => cents !== moves - 40)).toEqual([])

    await swapTo(t.mesh, 'balances', 1)
    expect((await reader.pin()).version).toBe(1)
    await swapTo(t.mesh, 'balances', 2)
    expect((await bucketsOf(t)).sort()).toEqual(['PROJECTION_BALANCES_V1', 'PROJECTION_BALANCES_V2'])
    await first[Symbol.asyncDispose]()
    expect(await confirmSwap(t.mesh, balances(2))).toEqual([1])
    expect(await bucketsOf(t)).toEqual(['PROJECTION_BALANCES_V2'])
    expect((await reader.get('t1'))?.by).toBe(2)
    await expect(swapTo(t.mesh, 'balances', 1)).rejects.toThrow('version 1 of projection balances is not there')
    const older = await readProjection(t.mesh, balances(1))
    await expect(older.get('t1')).rejects.toThrow('this release knows 1, and that is removed')
  })

  test.concurrent(`built by several processes, some of which stop, every event counts once; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    const calm = shake(t, tills)
    const filling = fill(t, 1500)
    for (let n = 0; n < 3; n++) {
      await using stopped = await runProjection(await t.connect(), balances(1), { everyMs: 10 })
      await using beside = await runProjection(await t.connect(), balances(1), { everyMs: 10 })
      await fill(t, 60)
      if (n > 0) await Promise.all([stopped.caughtUp, beside.caughtUp])
    }
    await filling
    await calm()
    const reader = await readProjection(t.mesh, balances(1))
    const moves = async (): Promise<(number | undefined)[]> =>
      Promise.all(Array.from({ length: 10 }, async (_, n) => (await reader.get(`t${n}`))?.moves))
    {
      await using running = await runProjection(t.mesh, balances(1))
      await running.caughtUp
    }
    expect(await moves()).toEqual(Array.from({ length: 10 }, () => 168))
    // Whoever died before it wrote how far it was takes the same events in again.
    await (await t.mesh.bucket('PROJECTIONS')).purge(keyToken('balances@1'))
    await using again = await runProjection(t.mesh, balances(1))
    await again.caughtUp
    expect(await moves()).toEqual(Array.from({ length: 10 }, () => 168))
  })

  test.concurrent(`a version does not go live while it is behind the one that is; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    await fill(t, 30)
    const pointers = await t.mesh.bucket('PROJECTIONS')
    {
      await using running = await runProjection(t.mesh, balances(1))
      await running.caughtUp
    }
    // As if another leader had given the live version more than it gave this one.
    const entry = (await pointers.get(keyToken('balances@1')))!
    const ahead = { ...entry.json<object>(), seq: 31 }
    await pointers.put(keyToken('balances@1'), JSON.stringify(ahead))
    await using next = await runProjection(t.mesh, balances(2), { everyMs: 10 })
    await next.caughtUp
    const reader = await readProjection(t.mesh, balances(2))
    expect((await reader.pin()).version).toBe(1)
    await t.mesh.publish(added, { till: 't1', cents: 1 })
    await eventually(async () => expect((await reader.pin()).version).toBe(2))
    expect((await reader.get('t1'))?.moves).toBe(4)
  })

  test.concurrent(`a version that was removed does not come back, whoever still runs it; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    await fill(t, 20)
    await using first = await runProjection(t.mesh, balances(1), { everyMs: 10 })
    await first.caughtUp
    await using second = await runProjection(t.mesh, balances(2), { everyMs: 10 })
    await second.caughtUp
    const pointers = await t.mesh.bucket('PROJECTIONS')
    const built = (await pointers.get(keyToken('balances@2')))!.string()
    // The new one was wrong.
    await swapTo(t.mesh, 'balances', 1)
    expect(await confirmSwap(t.mesh, balances(1))).toEqual([2])
    await t.mesh.publish(added, { till: 't1', cents: 1 })
    await eventually(() => expect(second.fault).toContain('PATTERNS_PROJECTION_REMOVED: version 2 of projection bal'))
    await expect(runProjection(t.mesh, balances(2))).rejects.toThrow('PATTERNS_PROJECTION_REMOVED')
    // As if it had said how far it is after it was removed.
    await pointers.put(keyToken('balances@2'), built)
    await expect(swapTo(t.mesh, 'balances', 2)).rejects.toThrow('PATTERNS_PROJECTION_NOT_LIVE')
    expect(await bucketsOf(t)).toEqual(['PROJECTION_BALANCES_V1'])
    const reader = await readProjection(t.mesh, balances(2))
    await eventually(async () => expect(await reader.get('t1')).toMatchObject({ by: 1, moves: 3 }))
  })

  test.concurrent(`events that left the stream before they were taken in are not passed over in silence; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    await fill(t, 60)
    {
      await using running = await runProjection(t.mesh, balances(1))
      await running.caughtUp
    }
    const jsm = await jetstreamManager(t.nats)
    await jsm.streams.purge(t.mesh.names.stream(tills), { seq: 31 })
    await using next = await runProjection(t.mesh, balances(2), { everyMs: 10 })
    await eventually(() =>
      expect(next.fault).toMatch(/PATTERNS_PROJECTION_GAP: projection balances 2: .*1 to 30 have left/),
    )
    const reader = await readProjection(t.mesh, balances(2))
    expect(await reader.get('t1')).toMatchObject({ by: 1, moves: 6 })
    await using again = await runProjection(t.mesh, balances(1))
    await again.caughtUp
    await using accepting = await runProjection(t.mesh, balances(3, 'accept'))
    await accepting.caughtUp
    const newer = await readProjection(t.mesh, balances(3))
    expect(await newer.get('t1')).toMatchObject({ by: 3, moves: 3 })
  })
}

test.concurrent('an event of a newer version is waited for, and told as what lies before the projection; one that does not fit is passed over and counted', async () => {
  await using t = await brokers[0].open()
  await provision(t)
  const loose = { ...base, schema: z.any(), key: () => 't1' }
  const anything = event('till.added', loose)
  await t.mesh.publish(anything, { till: 7 })
  await t.mesh.publish(counted, { till: 't1', cents: 0 })
  await t.mesh.publish(added, { till: 't1', cents: 5 })
  let behind: number | undefined
  const metrics: Metrics = {
    ...noMetrics,
    gauge: ({ name }) => ({ set: (_, to) => void (name === 'mesh_projection_lag_messages' && (behind = to)) }),
  }
  await using running = await runProjection(t.mesh, balances(1), { everyMs: 10, metrics })
  await running.caughtUp
  expect([running.unreadable, behind]).toEqual([1, 0])
  const reader = await readProjection(t.mesh, balances(1))
  expect(await reader.get('t1')).toEqual({ by: 1, moves: 1, cents: 5 })
  await t.mesh.publish(event('till.added', { ...loose, version: 2, upcast: (data) => data }), { till: 't1' })
  await eventually(() => expect(running.fault).toContain('MESH_NEWER_VERSION'))
  expect(behind).toBe(1)
  expect(await reader.get('t1')).toEqual({ by: 1, moves: 1, cents: 5 })
})

test.concurrent.each([401, 601])(
  'events before %d leave the stream while others are taken in: that is no secret',
  async (seq) => {
    await using t = await brokers[0].open()
    await provision(t)
    await fill(t, 600)
    const jsm = await jetstreamManager(t.nats)
    const rows = new Map<string, Entry<Balance>>()
    const purging: ProjectionStores<Balance> = () =>
      Promise.resolve({
        get: (key) => Promise.resolve(rows.get(key)?.view),
        async update(key, change) {
          if (rows.size === 0) await jsm.streams.purge(t.mesh.names.stream(tills), { seq })
          const next = change(rows.get(key))
          if (next) rows.set(key, next)
        },
        drop: () => Promise.resolve(),
      })
    await using running = await runProjection(t.mesh, balances(1), { stores: purging, everyMs: 10 })
    await eventually(() => expect(running.fault).toMatch(/PATTERNS_PROJECTION_GAP.*sequences 257 to .00 have left/))
    expect([...rows.values()].reduce((sum, { view }) => sum + view!.moves, 0)).toBe(256)
  },
)

test.concurrent('others’ events that age out are no gap', async () => {
  await using t = await brokers[0].open()
  await provision(t)
  await fill(t, 10)
  {
    await using running = await runProjection(t.mesh, balances(1))
    await running.caughtUp
  }
  const closed = event('till.day.closed', { stream: tills, schema: Moved })
  for (let n = 0; n < 20; n++) await t.mesh.publish(closed, { till: 't1', cents: n })
  {
    await using running = await runProjection(t.mesh, balances(1))
    await running.caughtUp
  }
  await (await jetstreamManager(t.nats)).streams.purge(t.mesh.names.stream(tills))
  await t.mesh.publish(added, { till: 't1', cents: 1 })
  await using running = await runProjection(t.mesh, balances(1))
  await running.caughtUp
  const reader = await readProjection(t.mesh, balances(1))
  expect(await reader.get('t1')).toMatchObject({ moves: 2 })
})

test.concurrent('views may be in a store of one’s own', async () => {
  await using t = await brokers[0].open()
  await provision(t)
  await fill(t, 100)
  const tables = new Map<number, Map<string, Entry<Balance>>>()
  const stores: ProjectionStores<Balance> = (version) => {
    const rows = tables.get(version) ?? new Map<string, Entry<Balance>>()
    tables.set(version, rows)
    return Promise.resolve({
      get: (key) => Promise.resolve(rows.get(key)?.view),
      update(key, change) {
        const next = change(rows.get(key))
        if (next) rows.set(key, next)
        return Promise.resolve()
      },
      drop() {
        tables.delete(version)
        return Promise.resolve()
      },
    })
  }
  for (const version of [1, 2]) {
    await using running = await runProjection(t.mesh, balances(version), { stores })
    await running.caughtUp
    const reader = await readProjection(t.mesh, balances(version), { stores })
    expect(await reader.get('t3')).toMatchObject({ by: version, moves: 10 })
  }
  expect(await confirmSwap(t.mesh, balances(2), { stores })).toEqual([1])
  expect([...tables.keys()]).toEqual([2])
})

import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, on, retry, type ServiceDef } from '@malha/mesh'
import { eventually, faultProxy, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { inversions, type Known, type Move, moved, publishMoves, recorder, records, told } from './moves.ts'

const LEASE = { order: 'key', startFrom: 'all', ackWaitMs: 2000 } as const

/** How many partitions each owner has. */
const shares = async (t: TestMesh): Promise<number[]> => sharesOf(await records(t))

function sharesOf(found: readonly Known[]): number[] {
  const counts = new Map<string, number>()
  for (const { owner } of found) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return [...counts.values()].sort((a, b) => a - b)
}

/** Changes what the bucket says of a partition. */
async function rewrite(t: TestMesh, { partition, text }: Known, change: object): Promise<void> {
  const key = `$KV.${t.namespace}_MESH_PARTITIONS.${t.namespace}_billing_bill.at.${partition}`
  await t.nats.request(key, JSON.stringify({ ...(JSON.parse(text) as object), ...change }))
}

test('instances that come and go share the partitions, and no event is out of order, left out or done twice', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const billing = (by: string): ServiceDef =>
    defineService('billing', {
      handlers: {
        bill: on(moved, LEASE, async (data, ctx) => {
          seen.note(data, ctx, by)
          await sleep(Math.random() * 3)
        }),
      },
    })
  const over = new AbortController()
  let published = 0
  const publishing = (async () => {
    for (; !over.signal.aborted; published += 1) await publishMoves(t.mesh, 40, published + 1, published)
  })()
  const a = await (await t.connect()).start(billing('a'))
  await eventually(async () => expect(await shares(t)).toEqual([16]))
  const b = await (await t.connect()).start(billing('b'))
  await eventually(async () => expect(await shares(t)).toEqual([8, 8]))
  const c = await (await t.connect()).start(billing('c'))
  await eventually(async () => expect(await shares(t)).toEqual([5, 5, 6]))
  await a.stop()
  await eventually(async () => expect(await shares(t)).toEqual([8, 8]))
  await b.stop()
  await eventually(async () => expect(await shares(t)).toEqual([16]))
  over.abort()
  await publishing
  await eventually(() => expect(seen.calls.length).toBe(40 * published))
  expect(inversions(seen.calls)).toEqual([])
  expect(new Set(seen.calls.map(({ by }) => by)).size).toBe(3)
  await c.stop()
  expect(await shares(t)).toEqual([16])
  expect((await records(t)).every(({ owner }) => owner === '')).toBe(true)
})

test('a partition that the records say an instance has, and that has nothing of it, is let go to whom it should go to', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const bill = on(moved, LEASE, (data: Move, ctx) => void seen.note(data, ctx))
  const billing = defineService('billing', { handlers: { bill } })
  await (await t.connect()).start(billing)
  await t.mesh.start(billing)
  const all = await eventually(async () => {
    const found = await records(t)
    expect(found.every(({ owner }) => owner !== '')).toBe(true)
    expect(sharesOf(found)).toEqual([8, 8])
    return found
  })
  // As a last write leaves it that was never stored: each has what the other should have.
  const [a, b] = [...new Set(all.map(({ owner }) => owner))]
  for (const one of all) await rewrite(t, one, { owner: one.owner === a ? b! : a!, fence: one.fence + 1, writes: 0 })
  await publishMoves(t.mesh, 40, 3)
  await eventually(() => expect(new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size).toBe(120))
  const owners = (found: readonly Known[]): string[] => found.map(({ owner }) => owner)
  await eventually(async () => expect(owners(await records(t))).toEqual(owners(all)))
})

test('an instance that stops hands over what is quiet while a call of one partition runs', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const gate = Promise.withResolvers<void>()
  const billing = (by: string): ServiceDef =>
    defineService('billing', {
      handlers: {
        bill: on(moved, LEASE, async (data: Move, ctx) => {
          seen.note(data, ctx, by)
          if (by === 'a' && data.n === 0) await gate.promise
        }),
      },
    })
  const a = await (await t.connect()).start(billing('a'))
  await publishMoves(t.mesh, 1, 1)
  await eventually(() => expect(seen.calls.length).toBe(1))
  await t.mesh.start(billing('b'))
  await eventually(async () => expect(await shares(t)).toHaveLength(2))
  const stopping = a.stop()
  await eventually(async () => expect(await shares(t)).toEqual([1, 15]))
  await publishMoves(t.mesh, 40, 3, 1)
  await eventually(() => expect(new Set(seen.calls.map(({ key }) => key)).size).toBeGreaterThan(30))
  expect(seen.calls.filter(({ key, by }) => key === 'o0' && by === 'b')).toEqual([])
  gate.resolve()
  await stopping
  await eventually(() => expect(seen.calls.length).toBe(81))
  expect(inversions(seen.calls)).toEqual([])
})

test('a partition that cannot be taken keeps no other from being taken and handed over, and is told', async () => {
  await using t = await testMesh()
  const bill = on(moved, LEASE, () => undefined)
  const billing = defineService('billing', { handlers: { bill } })
  const before = await t.mesh.start(billing)
  await eventually(async () => expect(await shares(t)).toEqual([16]))
  await before.stop()
  const all = await records(t)
  await publishMoves(t.mesh, 1, 1)
  for (const one of all.slice(0, 6)) await rewrite(t, one, { seen: 99, seenAt: 'no time' })
  const owners = async (): Promise<string[]> => (await records(t)).map(({ owner }) => owner).filter(Boolean)
  const first = await t.mesh.start(billing)
  await eventually(async () => expect(await owners()).toHaveLength(10))
  await (await t.connect()).start(billing)
  await eventually(async () => expect(new Set(await owners()).size).toBe(2))
  expect(first.faults().join()).toContain('cannot be known')
})

test.concurrent('an instance that is cut off starts nothing once its lease is in doubt, and publishes nothing when it is back', async () => {
  await using t = await testMesh()
  await using proxy = await faultProxy({ target: t.url })
  const seen = recorder()
  const gates = { a: Promise.withResolvers<void>(), b: Promise.withResolvers<void>() }
  const aborted: string[] = []
  const billing = (by: 'a' | 'b'): ServiceDef =>
    defineService('billing', {
      handlers: {
        bill: on(moved, { ...LEASE, concurrency: 1 }, async (data: Move, ctx) => {
          const { fence } = seen.note(data, ctx, by)
          ctx.signal.addEventListener('abort', () => aborted.push(by))
          if (data.n === 0) await gates[by].promise
          ctx.publish(told, { ...data, fence })
        }),
      },
    })
  const a = await t.connect({ servers: proxy.url })
  await a.start(billing('a'))
  await publishMoves(t.mesh, 1, 10)
  await eventually(() => expect(seen.calls.length).toBe(1))
  const before = await records(t)

  proxy.stall()
  await t.mesh.start(billing('b'))
  await eventually(() => expect(seen.calls.length).toBe(2), { timeoutMs: 20_000 })
  expect(seen.calls[1]).toMatchObject({ n: 0, by: 'b' })
  // What it had running ends now; nine more are in its hands.
  gates.a.resolve()
  await sleep(500)
  expect(seen.calls.length).toBe(2)
  proxy.resume()
  await eventually(() => expect(aborted).toContain('a'), { timeoutMs: 20_000 })
  await sleep(500)
  expect(seen.calls.length).toBe(2)
  const jsm = await jetstreamManager(t.nats)
  const outputs = async (): Promise<number> =>
    Object.values(
      (await jsm.streams.info(`${t.namespace}_ORDERS`, { subjects_filter: `${t.namespace}.order.told.>` })).state
        .subjects ?? {},
    ).reduce((sum, count) => sum + count, 0)
  expect(await outputs()).toBe(0)

  gates.b.resolve()
  await eventually(async () => expect(await outputs()).toBe(10), { timeoutMs: 20_000 })
  expect(inversions(seen.calls)).toEqual([])
  const fences = new Map((await records(t)).map(({ partition, fence }) => [partition, fence]))
  for (const { partition, fence } of before) expect(fences.get(partition)).toBeGreaterThan(fence)
})

test.concurrent('what is known of a retry outlives its instance: attempts go on counting, and it is not tried before its time', async () => {
  await using t = await testMesh()
  await using proxy = await faultProxy({ target: t.url })
  const seen = recorder()
  const at: number[] = []
  const billing = defineService('billing', {
    handlers: {
      bill: on(moved, { ...LEASE, retry: retry({ minDelayMs: 100, maxDelayMs: 6_000, factor: 60 }) }, (data, ctx) => {
        at.push(performance.now())
        if (seen.note(data, ctx).attempt < 3) throw new Error('not yet')
      }),
    },
  })
  const a = await t.connect({ servers: proxy.url })
  await a.start(billing)
  await publishMoves(t.mesh, 1, 2)
  await eventually(() => expect(seen.calls.length).toBe(2))
  // The record says so before it is cut off for good.
  await eventually(async () => expect((await records(t)).some(({ text }) => text.includes(',2,2,'))).toBe(true))
  proxy.stall()
  await t.mesh.start(billing)
  await eventually(() => expect(seen.calls.length).toBe(4), { timeoutMs: 30_000 })
  expect(seen.calls.map(({ n, attempt }) => [n, attempt])).toEqual([
    [0, 1],
    [0, 2],
    [0, 3],
    [1, 1],
  ])
  expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThanOrEqual(5_900)
  proxy.resume()
})

test('the records say nothing that is not so when the server is killed in the middle', async () => {
  await using t = await testMesh()
  const seen = recorder()
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(moved, LEASE, async (data, ctx) => {
          seen.note(data, ctx)
          await sleep(Math.random() * 3)
        }),
      },
    }),
  )
  const publishing = publishMoves(t.mesh, 30, 60)
  for (let round = 0; round < 3; round += 1) {
    await eventually(() => expect(seen.calls.length).toBeGreaterThan(300 * round))
    await t.server.restart()
  }
  await publishing
  await eventually(() => expect(new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size).toBe(1800))
  expect(inversions(seen.calls)).toEqual([])
})

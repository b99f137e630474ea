import { setTimeout as sleep } from 'node:timers/promises'
import {
  defineService,
  event,
  type HandlerDef,
  minutes,
  on,
  retry,
  seconds,
  type ServiceDef,
  stream,
} from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { inversions, Move, moved, orders, publishMoves, recorder, records } from './moves.ts'

const billing = (bill: HandlerDef, retired: string[] = []): ServiceDef =>
  defineService('billing', { handlers: { bill }, retired })

const info = async (t: TestMesh, name: string) =>
  (await jetstreamManager(t.nats)).streams.info(`${t.namespace}_${name}`)

test.concurrent('a stream that was made anew is handled from its start, once, under higher fences', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const bill = on(moved, { order: 'key', startFrom: 'all' }, (data, ctx) => void seen.note(data, ctx))
  await t.mesh.start(billing(bill))
  await publishMoves(t.mesh, 5, 10)
  await eventually(() => expect(seen.calls.length).toBe(50))
  const before = Math.max(...seen.calls.map(({ fence }) => fence))
  await (await jetstreamManager(t.nats)).streams.delete(`${t.namespace}_ORDERS`)
  // Epochs count in seconds.
  await sleep(1_100)
  await t.mesh.provision(defineService('source', { handlers: {}, publishes: [moved] }))
  seen.calls.length = 0
  await publishMoves(t.mesh, 5, 10)
  const epoch = Math.floor(Date.parse((await info(t, 'ORDERS')).created) / 1000)
  await eventually(async () => {
    const all = (await records(t)).map(({ text }) => JSON.parse(text) as Record<string, unknown>)
    expect(Math.max(...all.map(({ read }) => Number(read)))).toBe(50)
    for (const record of all) expect(record).toMatchObject({ epoch, running: '', open: [] })
  })
  expect(seen.calls.length).toBe(50)
  expect(inversions(seen.calls)).toEqual([])
  expect(Math.min(...seen.calls.map(({ fence }) => fence))).toBeGreaterThan(before)
})

test.concurrent('events that took the sequences of a lost end are handled, and what is known of the lost ones is not believed', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const bill = on(moved, { order: 'key', startFrom: 'all' }, (data, ctx) => void seen.note(data, ctx))
  const running = await t.mesh.start(billing(bill))
  await publishMoves(t.mesh, 10, 10)
  await eventually(() => expect(seen.calls.length).toBe(100))
  await running.stop()
  const { state } = await info(t, 'ORDERS')
  const jsm = await jetstreamManager(t.nats)
  const fiftieth = await jsm.streams.getMessage(`${t.namespace}_ORDERS`, { seq: 50 })
  // To the nanosecond: dozens are stored within a millisecond.
  const [second, fraction = ''] = fiftieth!.timestamp.slice(0, -1).split('.')
  const storedAt = BigInt(Date.parse(`${second}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
  // As if the stream had lost all after its fiftieth event, and more than fifty others were stored since.
  for (const { partition, text, revision } of await records(t)) {
    const record = {
      ...(JSON.parse(text) as object),
      read: state.last_seq,
      seen: state.last_seq,
      seenAt: String(storedAt),
    }
    await t.nats.request(
      `$KV.${t.namespace}_MESH_PARTITIONS.${t.namespace}_billing_bill.at.${partition}`,
      JSON.stringify(record),
    )
    expect(revision).toBeGreaterThan(0)
  }
  seen.calls.length = 0
  await t.mesh.start(billing(bill))
  await eventually(() => expect(seen.calls.length).toBeGreaterThanOrEqual(50))
  expect(new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size).toBeLessThanOrEqual(60)
  expect(inversions(seen.calls)).toEqual([])
})

test.concurrent('events that age out while no instance runs are told in one letter', async () => {
  await using t = await testMesh()
  const limits = { maxAgeMs: seconds(3), maxBytes: 1024 ** 2, partitions: 1 }
  const brief = stream('BRIEF', { subjects: ['brief.>'], ...limits })
  const told = event('brief.told', { stream: brief, schema: Move, key: ({ orderId }) => orderId })
  const seen = recorder()
  const policy = retry({ attempts: 3, minDelayMs: 10, maxDelayMs: 20 })
  const bill = on(
    told,
    { order: 'key', startFrom: 'all', ackWaitMs: 2000, retry: policy },
    (d, c) => void seen.note(d, c),
  )
  const running = await t.mesh.start(billing(bill))
  await t.mesh.publish(told, { orderId: 'a', n: 0 })
  await eventually(() => expect(seen.calls.length).toBe(1))
  // The one of events without a key has none: how far it is, it writes down now and then.
  await eventually(async () => expect((await records(t)).map(({ read }) => read)).toEqual([1, 1]))
  await running.stop()
  for (let n = 1; n <= 3; n += 1) await t.mesh.publish(told, { orderId: 'a', n })
  await eventually(async () => expect((await info(t, 'BRIEF')).state.messages).toBe(0))
  // With this one it is past those before anybody has looked.
  await t.mesh.publish(told, { orderId: 'a', n: 4 })
  const again = await t.mesh.start(billing(bill))
  await eventually(() => expect(seen.calls.at(-1)?.n).toBe(4))
  const letters = await eventually(async () => {
    const { state } = await (
      await jetstreamManager(t.nats)
    ).streams.info(`${t.namespace}_DEAD_LETTERS`, {
      subjects_filter: '>',
    })
    expect(state.messages).toBeGreaterThan(0)
    return Object.keys(state.subjects ?? {})
  })
  expect(letters).toHaveLength(1)
  expect(letters[0]).toMatch(/\.2-4$/)
  await again.stop()
})

test.concurrent('a handler on a stream with history says where to begin', async () => {
  await using t = await testMesh()
  await t.mesh.provision(defineService('source', { handlers: {}, publishes: [moved] }))
  await publishMoves(t.mesh, 2, 5)
  const seen = recorder()
  const note = (data: Move, ctx: Parameters<typeof seen.note>[1]): void => void seen.note(data, ctx)
  await expect(t.mesh.start(billing(on(moved, { order: 'key' }, note)))).rejects.toThrow('startFrom')
  await t.mesh.start(billing(on(moved, { order: 'key', startFrom: 'new' }, note)))
  await publishMoves(t.mesh, 2, 6, 5)
  await eventually(() => expect(seen.calls.length).toBe(2))
  await sleep(300)
  expect(seen.calls.map(({ n }) => n)).toEqual([5, 5])
})

test.concurrent('a handler that takes up order goes on where it stood, with nothing in hand; and does not go back', async () => {
  await using t = await testMesh()
  const seen = recorder()
  let fails = true
  const handle = (data: Move, ctx: Parameters<typeof seen.note>[1]): void => {
    seen.note(data, ctx)
    if (fails && data.n === 2) throw new Error('not yet')
  }
  const policy = { startFrom: 'all', retry: retry({ minDelayMs: minutes(2), maxDelayMs: minutes(2) }) } as const
  const plain = billing(on(moved, policy, handle))
  const ordered = billing(on(moved, { ...policy, order: 'key' }, handle))
  const first = await t.mesh.start(plain)
  await publishMoves(t.mesh, 1, 5)
  await eventually(() => expect(seen.calls.length).toBe(5))
  await expect((await t.connect()).start(ordered)).rejects.toThrow('stop it first')
  await eventually(async () => expect((await info(t, 'LANES_BILLING')).state.messages).toBe(1))
  await first.stop()
  await expect((await t.connect()).start(ordered)).rejects.toThrow('1 messages wait for a retry')
  fails = false
  await (await jetstreamManager(t.nats)).streams.purge(`${t.namespace}_LANES_BILLING`)
  await publishMoves(t.mesh, 1, 8, 5)
  const second = await t.mesh.start(ordered)
  await eventually(() => expect(seen.calls.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]))
  await second.stop()
  await expect((await t.connect()).start(plain)).rejects.toThrow("Keep order: 'key'")
  await t.mesh.start(ordered)
  await publishMoves(t.mesh, 1, 9, 8)
  await eventually(() => expect(seen.calls.at(-1)?.n).toBe(8))
  expect(seen.calls.length).toBe(9)
})

test.concurrent('instances that take up order at the same moment all start', async () => {
  await using t = await testMesh()
  const seen = recorder()
  const handle = (data: Move, ctx: Parameters<typeof seen.note>[1]): void => void seen.note(data, ctx)
  const plain = await t.mesh.start(billing(on(moved, { startFrom: 'all' }, handle)))
  await publishMoves(t.mesh, 1, 3)
  await eventually(() => expect(seen.calls.length).toBe(3))
  await plain.stop()
  // Whoever comes last has no startFrom to begin at: it goes on where the handler was.
  const ordered = billing(on(moved, { order: 'key' }, handle))
  const meshes = await Promise.all(Array.from({ length: 6 }, () => t.connect()))
  await Promise.all(meshes.map((mesh) => mesh.start(ordered)))
  await publishMoves(t.mesh, 1, 6, 3)
  await eventually(() => expect(seen.calls.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5]))
})

test.concurrent('an ordered handler that is gone is missed at the start, unless it is retired', async () => {
  await using t = await testMesh()
  const bill = on(moved, { order: 'key', startFrom: 'all' }, () => undefined)
  await (await t.mesh.start(billing(bill))).stop()
  const renamed = (retired: string[]): ServiceDef => defineService('billing', { handlers: { charge: bill }, retired })
  await expect(t.mesh.start(renamed([]))).rejects.toThrow('kept the order of keys')
  await t.mesh.start(renamed(['bill']))
})

test.concurrent('while the partner refuses connections nothing is read, and all goes in order once it is back', async () => {
  await using t = await testMesh()
  const seen = recorder()
  let isBack = false
  const bill = on(
    moved,
    {
      order: 'key',
      startFrom: 'all',
      concurrency: 4,
      retry: retry({ minDelayMs: seconds(28), maxDelayMs: seconds(60) }),
    },
    (data, ctx) => {
      seen.note(data, ctx)
      if (!isBack) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    },
  )
  await t.mesh.start(billing(bill))
  await publishMoves(t.mesh, 60, 5)
  await eventually(() => expect(seen.calls.length).toBeGreaterThanOrEqual(10))
  await sleep(500)
  expect(seen.calls.length).toBeLessThan(30)
  isBack = true
  const done = (): number => new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size
  await eventually(() => expect(done()).toBe(300), { timeoutMs: 26_000 })
  expect(inversions(seen.calls)).toEqual([])
})

test.concurrent('order needs a contract with a key, and a lease of whole seconds', () => {
  const keyless = event('order.noted', { stream: orders, schema: Move })
  const fault =
    (bill: HandlerDef): (() => ServiceDef) =>
    () =>
      billing(bill)
  expect(fault(on(keyless, { order: 'key' }, () => undefined))).toThrow('has none; give its contract a key')
  expect(fault(on(moved, { order: 'key', ackWaitMs: 2500 }, () => undefined))).toThrow('whole seconds')
  expect(fault(on(moved, { order: 'key', ackWaitMs: 1000 }, () => undefined))).toThrow('whole seconds')
})

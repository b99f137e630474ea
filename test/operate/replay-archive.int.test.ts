import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, queryArchiveSql } from '@malha/archive'
import { defineService, event, on, stream } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { type ClickHouseServer, startClickHouse } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { deployedServer } from '../deploy/deployed-server.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const key = ({ n }: { n: number }): string => `o/${n % 10}`
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number(), note: z.string() }), key })
const paid = event('order.paid', { stream: orders, schema: z.object({ n: z.number() }), key })
const COUNT = 60

it('what its stream has forgotten is replayed from the archive, each event once, and waits while ClickHouse is away', async () => {
  await using stack = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-replay-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  let clickhouse: ClickHouseServer = await startClickHouse({ dataDir, env })
  const { url, port } = clickhouse
  stack.defer(async () => await clickhouse.stop())
  const called: { n: number; note: string; id: string }[] = []
  const bill = on(placed, { startFrom: 'all' }, (order, { id }) => void called.push({ ...order, id }))
  const service = defineService('shop', { handlers: { bill }, publishes: [paid] })
  const server = stack.use(await deployedServer([service]))
  const mesh = await server.connect('admin')
  const archive = await server.connect('archive')
  const operator = await server.connect('operator')
  const shop = await (await server.connect('shop')).start(service)
  const ids: string[] = []
  for (let n = 0; n < COUNT; n++) {
    ids.push((await mesh.publish(placed, { n, note: 'não 😀 "' })).id)
    if (n % 3 === 0) await mesh.publish(paid, { n })
  }
  await eventually(() => expect(called).toHaveLength(COUNT))
  called.length = 0
  {
    await using _archive = archiveStreams({ nats: archive.nats, namespace: '' }, { url })
    await eventually(
      async () => {
        const sql = "SELECT count() AS events FROM archive.events FINAL WHERE stream = 'ORDERS'"
        expect(await queryArchiveSql({ url }, sql)).toEqual([{ events: String(COUNT + COUNT / 3) }])
      },
      { timeoutMs: 30_000 },
    )
  }
  const jsm = await jetstreamManager(mesh.nats)
  await jsm.streams.purge('ORDERS')

  const of = { service: 'shop', handler: 'bill' }
  using operations = await openOperations(operator, { archive: { url } })
  expect(await operations.runs.planReplay(of)).toMatchObject({ total: 0 })
  expect(await operations.runs.planReplay({ ...of, from: { archive: true, key: 'o/3' } })).toMatchObject({ total: 6 })
  const early = { archive: true, seqs: { from: 5, to: 8 } }
  expect(await operations.runs.planReplay({ ...of, from: early })).toMatchObject({ total: 3 })
  const plan = await operations.runs.planReplay({ ...of, from: { archive: true } })
  expect(plan).toMatchObject({ total: COUNT, stream: 'ORDERS' })
  expect(plan.samples.map(({ id }) => id)).toEqual(ids.slice(0, 5))

  const limits = { perSecond: 20 }
  const { id } = await operations.runs.replay({ ...of, from: { archive: true }, who: 'ana', limits })
  using without = await openOperations(operator)
  await expect(without.runs.work(id, { who: 'ana' })).rejects.toThrow(/OPERATIONS_INVALID_OPTIONS: .*from the archive/)
  const done = operations.runs.work(id, { who: 'ana' })
  await eventually(() => expect(called.length).toBeGreaterThan(10))
  clickhouse.kill()
  await clickhouse.exited
  await eventually(async () => expect((await operations.runs.read(id)).waits).toMatch(/does not answer/), {
    timeoutMs: 20_000,
  })
  const before = (await operations.runs.read(id)).counts
  expect(before.sent).toBeLessThan(COUNT)
  clickhouse = await startClickHouse({ dataDir, port, env })
  expect(await done).toMatchObject({ state: 'done', waits: null, counts: { sent: COUNT, ok: COUNT, gone: 0 } })
  expect(called.map((one) => one.id).toSorted()).toEqual(ids.toSorted())
  expect(called.every(({ note }) => note === 'não 😀 "')).toBe(true)
  expect((await jsm.streams.info('ORDERS')).state.messages).toBe(0)
  await shop.stop()
})

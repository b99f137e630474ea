import { event, stream } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { DiscardPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { outbox, relayOutbox, retryDeadRows } from '../src/index.ts'
import * as table from '../src/relay/table.ts'
import { outboxNames } from '../src/schema/names.ts'
import { orders, placed, viewed } from './support/contracts.ts'
import { type Fixture, fixture, inversions } from './support/fixture.ts'
import { type PostgresServer, postgresServer } from './support/postgres-server.ts'
import { recordedMetrics } from './support/recorded.ts'

let postgres: PostgresServer
beforeAll(async () => {
  postgres = await postgresServer()
})
afterAll(async () => await postgres[Symbol.asyncDispose]())

const ids = async (f: Fixture): Promise<string[]> => (await f.stored()).map(({ id }) => id).sort()

test('a row that can never be published is set aside with the reason; its key and all others go on', async () => {
  await using f = await fixture(postgres)
  const { metrics, value } = recordedMetrics()
  await f.transaction(async (client) => {
    await outbox.add(client, placed, { orderId: 'o1', n: 1 }, { id: 'before' })
    await outbox.add(client, placed, { orderId: 'o1', n: 2, note: 'x'.repeat(1_100_000) }, { id: 'too-large' })
    await outbox.add(client, placed, { orderId: 'o1', n: 3 }, { id: 'after' })
    // The same id for another event.
    await outbox.add(client, placed, { orderId: 'o2', n: 4 }, { id: 'before' })
    await outbox.add(client, placed, { orderId: 'o3', n: 5 }, { id: 'other' })
    await client.query(`SELECT malha.outbox_add('ORDERS', 7, NULL, '{"by": "hand"}', '')`)
  })
  await using _relay = relayOutbox(f.mesh, f.db.pool, { metrics, pollMs: 100 })
  await eventually(async () => expect(await f.waiting()).toBe(0))
  expect((await ids(f)).sort()).toEqual(['after', 'before', 'other'])
  const dead = await f.db.sql<{ code: string }>(
    `SELECT split_part(last_error, ':', 1) AS code FROM malha.outbox ORDER BY code`,
  )
  expect(dead.map(({ code }) => code)).toEqual(['MESH_ID_CONFLICT', 'MESH_PAYLOAD_TOO_LARGE', 'OUTBOX_UNREADABLE_ROW'])
  expect(value('mesh_outbox_dead_total')).toBe(3)
  expect(value('mesh_outbox_published_total')).toBe(3)
  expect(value('mesh_outbox_lag_seconds')).toBeGreaterThan(0)
  await eventually(() => expect(value('mesh_outbox_dead_rows')).toBe(3))
})

test('dead rows go out when they are put back', async () => {
  await using f = await fixture(postgres)
  await f.addOrders(3)
  await f.db.sql(`UPDATE malha.outbox SET dead_at = now(), last_error = 'a human said so'`)
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await f.addOrders(1, { from: 3 })
  await eventually(async () => expect(await ids(f)).toEqual(['p3']))
  expect(await retryDeadRows(f.db.pool)).toBe(3)
  expect(await retryDeadRows(f.db.pool)).toBe(0)
  await eventually(async () => expect(await ids(f)).toEqual(['p0', 'p1', 'p2', 'p3']))
})

test('dead rows that are put back keep their order', async () => {
  await using f = await fixture(postgres)
  await f.addOrders(60, { keys: 2 })
  // Each becomes dead at its own time, the last first: the table holds them in that order.
  for (const { id } of await f.db.sql('SELECT id FROM malha.outbox ORDER BY id DESC'))
    await f.db.sql('UPDATE malha.outbox SET dead_at = now() WHERE id = $1', [id])
  expect(await retryDeadRows(f.db.pool)).toBe(60)
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await eventually(async () => expect(await f.waiting()).toBe(0))
  const stored = await f.stored()
  expect(stored).toHaveLength(60)
  expect(inversions(stored)).toEqual([])
})

test('rows that may have been sent go out beside one that cannot be read and behind an id that is not encoded', async () => {
  await using f = await fixture(postgres)
  await f.addOrders(3, { keys: 1 })
  await f.transaction((client) => client.query(`SELECT malha.outbox_add('ORDERS', 7, NULL, '{"by": "hand"}', '')`))
  await f.transaction((client) => client.query(`SELECT malha.outbox_add('ORDERS', 8, NULL, 'null', '')`))
  const [row] = await f.db.sql<{ subject: string }>(`SELECT message->>'subject' AS subject FROM malha.outbox LIMIT 1`)
  const { seq = 0 } = await f.mesh.publish(viewed, { orderId: 'v', n: 0 }, { id: 'viewed' })
  const jsm = await jetstreamManager(f.broker.nats)
  const { header } = (await jsm.streams.getMessage(f.mesh.names.stream(orders), { seq }))!
  header.set('ce-id', '100%')
  header.delete('Nats-Msg-Id')
  await jetstream(f.broker.nats).publish(f.mesh.names.subject(row!.subject), '{"n": -1}', { headers: header })
  // As if a relay had died after it claimed them all.
  await f.db.sql('UPDATE malha.outbox SET tries = 1, tried_after = 0, tried_epoch = 0')
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await eventually(async () => expect(await f.waiting()).toBe(0))
  expect(await ids(f)).toEqual(['100%', 'p0', 'p1', 'p2', 'viewed'])
  const dead = await f.db.sql<{ code: string }>(`SELECT split_part(last_error, ':', 1) AS code FROM malha.outbox`)
  expect(dead.map(({ code }) => code)).toEqual(['OUTBOX_UNREADABLE_ROW', 'OUTBOX_UNREADABLE_ROW'])
})

test('a fault that is written down late changes nothing about what another relay has settled', async () => {
  await using f = await fixture(postgres)
  await f.addOrders(3)
  const [published, dead, waiting] = (await f.db.sql<{ id: string }>('SELECT id FROM malha.outbox ORDER BY id')).map(
    ({ id }) => Number(id),
  )
  await f.db.sql('UPDATE malha.outbox SET published_at = now() WHERE id = $1', [published])
  await f.db.sql('UPDATE malha.outbox SET dead_at = now() WHERE id = $1', [dead])
  const late = [
    { id: published!, reason: 'late', waitMs: undefined },
    { id: dead!, reason: 'late', waitMs: 1000 },
    { id: waiting!, reason: 'in time', waitMs: 1000 },
  ]
  await table.writeFaults(f.db.pool as never, outboxNames(), late)
  expect(await f.db.sql('SELECT last_error, dead_at IS NULL AS lives FROM malha.outbox ORDER BY id')).toEqual([
    { last_error: null, lives: true },
    { last_error: null, lives: false },
    { last_error: 'in time', lives: true },
  ])
})

test('of many rows that wait the first ten thousand are counted, and the oldest is found', async () => {
  await using f = await fixture(postgres)
  const { metrics, value } = recordedMetrics()
  // Of a stream that is not there.
  await f.db.sql(
    `INSERT INTO malha.outbox (id, stream, partition, message, payload, created_at)
     SELECT nextval('malha.outbox_id'), 'AWAY', n % 64, '{}', '', now() - CASE n WHEN 63 THEN interval '2 hours' ELSE '0' END
     FROM generate_series(1, 12000) AS n`,
  )
  await using _relay = relayOutbox(f.mesh, f.db.pool, { metrics, pollMs: 20 })
  await f.addOrders(10)
  await eventually(async () => expect(await f.stored()).toHaveLength(10))
  await eventually(() => expect(value('mesh_outbox_depth')).toBe(10_000))
  expect(value('mesh_outbox_oldest_seconds')).toBeGreaterThan(7_000)
  expect(value('mesh_outbox_dead_rows')).toBe(0)
})

const wider = stream(orders.name, { ...orders, subjects: ['order.>', 'parcel.>'], replicas: 1 })
const parcelSent = event('parcel.sent', {
  stream: wider,
  schema: z.object({ orderId: z.string(), n: z.number() }),
  key: (parcel) => parcel.orderId,
})

test('a row that has to wait holds its key and nothing else, and goes out when it can', async () => {
  await using f = await fixture(postgres)
  await f.transaction(async (client) => {
    await outbox.add(client, parcelSent, { orderId: 'o1', n: 1 }, { id: 'p1' })
    await outbox.add(client, placed, { orderId: 'o1', n: 2 }, { id: 'p2' })
  })
  await f.addOrders(300, { prefix: 'q', from: 2, keys: 1000 })
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100, publishMs: 500 })
  await eventually(async () => expect(await f.waiting()).toBe(2), { timeoutMs: 20_000 })
  await eventually(async () => {
    const [row] = await f.db.sql('SELECT last_error FROM malha.outbox ORDER BY id LIMIT 1')
    expect(row?.['last_error']).toMatch(/MESH_NO_STREAM/)
  })
  const jsm = await jetstreamManager(f.broker.nats)
  const { namespace } = f.broker
  await jsm.streams.update(`${namespace}_ORDERS`, { subjects: [`${namespace}.order.>`, `${namespace}.parcel.>`] })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 30_000 })
  const stored = await f.stored()
  expect(stored).toHaveLength(302)
  expect(inversions(stored)).toEqual([])
})

test('many rows behind a held one stay in the table, and leave it in their order', async () => {
  await using f = await fixture(postgres)
  await f.transaction((client) => outbox.add(client, parcelSent, { orderId: 'o0', n: -1 }, { id: 'held' }))
  await f.addOrders(1_000, { keys: 2 })
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100, publishMs: 500 })
  await eventually(async () => expect(await f.waiting()).toBe(501), { timeoutMs: 30_000 })
  const jsm = await jetstreamManager(f.broker.nats)
  const { namespace } = f.broker
  await jsm.streams.update(`${namespace}_ORDERS`, { subjects: [`${namespace}.order.>`, `${namespace}.parcel.>`] })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 40_000 })
  const stored = await f.stored()
  expect(stored).toHaveLength(1_001)
  expect(inversions(stored)).toEqual([])
})

test('a stream that is full holds up no other, and takes its rows once it has room', async () => {
  await using f = await fixture(postgres)
  const small = stream('SMALL', { subjects: ['small.>'], maxBytes: 64 * 1024 })
  const noted = event('small.noted', { stream: small, schema: z.object({ n: z.number(), text: z.string() }) })
  const jsm = await jetstreamManager(f.broker.nats)
  const { namespace } = f.broker
  const name = `${namespace}_SMALL`
  await jsm.streams.add({ name, subjects: [`${namespace}.small.>`], max_bytes: 65_536, discard: DiscardPolicy.New })
  await f.transaction(async (client) => {
    for (let n = 0; n < 40; n += 1) await outbox.add(client, noted, { n, text: 'x'.repeat(4_000) })
  })
  await f.addOrders(200)
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await eventually(async () => expect((await f.stored()).length).toBe(200))
  const [left] = await f.db.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM malha.outbox WHERE dead_at IS NULL`,
  )
  expect(left?.count).toBeGreaterThan(10)
  await jsm.streams.update(name, { max_bytes: 10_000_000 })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 20_000 })
  expect((await jsm.streams.info(name)).state.messages).toBe(40)
})

import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { relayOutbox } from '../src/index.ts'
import { viewed } from './support/contracts.ts'
import { doubles, fixture, inversions } from './support/fixture.ts'
import { type PostgresServer, postgresServer } from './support/postgres-server.ts'
import { recordedMetrics } from './support/recorded.ts'
import { relayProcess } from './support/relays.ts'

let postgres: PostgresServer
beforeAll(async () => {
  postgres = await postgresServer()
})
afterAll(async () => await postgres[Symbol.asyncDispose]())

test('rows added while the broker is away wait, are counted, and go out when it is back', async () => {
  await using server = await testServer()
  await using f = await fixture(postgres, { server })
  const { metrics, value } = recordedMetrics()
  await using relay = relayOutbox(f.mesh, f.db.pool, { metrics, pollMs: 50, publishMs: 300 })
  await f.addOrders(10, { prefix: 'a' })
  await eventually(async () => expect(await f.waiting()).toBe(0))
  await server.kill()
  await f.addOrders(200, { prefix: 'b', from: 10, keys: 20 })
  await eventually(() => expect(value('mesh_outbox_depth')).toBe(200))
  await eventually(() => expect(value('mesh_outbox_retries_total')).toBeGreaterThan(1))
  expect(value('mesh_outbox_oldest_seconds')).toBeGreaterThan(0)
  await server.start()
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 30_000 })
  await eventually(() => expect(value('mesh_outbox_depth')).toBe(0))
  const stored = await f.stored()
  expect(stored).toHaveLength(210)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
  expect(relay.health()).toEqual({ ready: true, reasons: [] })
})

test('a listening connection that is cut is made again, and hears again', async () => {
  await using f = await fixture(postgres)
  // Polls come too late for this test: it must hear.
  await using relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 60_000, sessionMs: 120_000 })
  await f.addOrders(1, { prefix: 'a' })
  await eventually(async () => expect(await f.stored()).toHaveLength(1))
  for (let round = 1; round <= 3; round += 1) {
    const cut = await f.db.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory') AND datname = current_database()`,
    )
    expect(cut).toHaveLength(1)
    await eventually(async () => {
      await f.addOrders(1, { prefix: `b${round}-${Math.random()}` })
      expect(relay.health().ready).toBe(true)
    })
    await eventually(async () => expect(await f.waiting()).toBe(0))
  }
  expect(doubles(await f.stored())).toEqual([])
})

test('two relays share the partitions, and one takes over what the other had when it is killed', async () => {
  await using f = await fixture(postgres)
  const { metrics, value } = recordedMetrics()
  await using killed = relayProcess(f)
  await using _relay = relayOutbox(f.mesh, f.db.pool, { metrics, pollMs: 100 })
  await eventually(() => expect(value('mesh_outbox_partitions_owned')).toBe(32), { timeoutMs: 20_000 })
  await f.addOrders(1_000, { keys: 50 })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 20_000 })
  const own = value('mesh_outbox_published_total')
  expect(own).toBeGreaterThan(100)
  expect(own).toBeLessThan(900)
  await killed.kill()
  await f.addOrders(500, { keys: 50, from: 1_000 })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 20_000 })
  await eventually(() => expect(value('mesh_outbox_partitions_owned')).toBe(64))
  const stored = await f.stored()
  expect(stored).toHaveLength(1_500)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
})

test('a relay that is frozen loses its rows to another one, and does no harm when it wakes', async () => {
  await using f = await fixture(postgres)
  const { metrics, value } = recordedMetrics()
  await using frozen = relayProcess(f)
  await f.addOrders(100, { keys: 10 })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 20_000 })
  const adding = f.addOrders(1_000, { keys: 50, from: 100 })
  await eventually(async () => expect((await f.stored()).length).toBeGreaterThan(200))
  frozen.child.kill('SIGSTOP')
  await using _relay = relayOutbox(f.mesh, f.db.pool, { metrics, pollMs: 100, sessionMs: 3_000 })
  await adding
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 30_000 })
  frozen.child.kill('SIGCONT')
  await eventually(() => expect(value('mesh_outbox_partitions_owned')).toBe(32), { timeoutMs: 20_000 })
  await f.addOrders(500, { keys: 50, from: 1_100 })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 20_000 })
  const stored = await f.stored()
  expect(stored).toHaveLength(1_600)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
})

test('what was published before a crash is found in the stream, past the duplicate window too', async () => {
  await using f = await fixture(postgres)
  const jsm = await jetstreamManager(f.broker.nats)
  await jsm.streams.update(`${f.broker.namespace}_ORDERS`, { duplicate_window: 200_000_000 })
  // Published rows cannot leave the table: as if each crash came just before that.
  await f.db.sql(`CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''stay''; END'`)
  await f.db.sql('CREATE TRIGGER stay BEFORE DELETE ON malha.outbox FOR EACH ROW EXECUTE FUNCTION stay()')
  await f.addOrders(60, { keys: 20 })
  {
    await using first = relayProcess(f)
    await eventually(async () => expect((await f.stored()).length).toBeGreaterThanOrEqual(20), { timeoutMs: 20_000 })
    await first.kill()
  }
  expect(await f.waiting()).toBe(60)
  const sent = await f.stored()
  await f.db.sql('DROP TRIGGER stay ON malha.outbox')
  // Until the server forgets ids this old: from then on a plain repeat would be stored again.
  const again = () => f.mesh.publish(viewed, { orderId: 'clock', n: 0 }, { id: 'clock' })
  await again()
  await eventually(async () => expect((await again()).duplicate).toBe(false))
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await eventually(async () => expect(await f.waiting()).toBe(0))
  const stored = (await f.stored()).filter(({ id }) => id !== 'clock')
  expect(stored).toHaveLength(60)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
  expect(stored.slice(0, sent.length)).toEqual(sent)
})

test('published rows are kept as long as asked, then removed', async () => {
  await using f = await fixture(postgres)
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 50, keepMs: 2_000 })
  await f.addOrders(20)
  await eventually(async () => expect(await f.stored()).toHaveLength(20))
  const published = 'SELECT id FROM malha.outbox WHERE published_at IS NOT NULL'
  await eventually(async () => expect(await f.db.sql(published)).toHaveLength(20))
  await eventually(async () => expect(await f.db.sql('SELECT id FROM malha.outbox')).toEqual([]))
  expect(await f.stored()).toHaveLength(20)
})

test('stopping waits for what is on its way and gives the partitions back', async () => {
  await using f = await fixture(postgres)
  await f.addOrders(500)
  const relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await eventually(async () => expect((await f.stored()).length).toBeGreaterThan(0))
  await relay.stop()
  const stored = await f.stored()
  expect(await f.waiting()).toBe(500 - stored.length)
  await using _next = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await eventually(async () => expect(await f.waiting()).toBe(0))
  expect(doubles(await f.stored())).toEqual([])
})

test('a pool that gives no connection is waited for, and does not hold up stop', async () => {
  await using t = await testMesh()
  let asked = 0
  const pool = {
    connect: () => {
      asked += 1
      return new Promise<never>(() => undefined)
    },
  }
  const relay = relayOutbox(t.mesh, pool, { sessionMs: 1_000, pollMs: 100 })
  await eventually(() => expect(relay.health().reasons.join()).toMatch(/gave no connection within 500 ms/))
  await eventually(() => expect(asked).toBeGreaterThan(1))
  await relay.stop()
})

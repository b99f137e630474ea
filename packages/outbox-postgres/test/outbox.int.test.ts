import { eventually } from '@malha/testing'
import { Kysely, PostgresDialect } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { outbox, postgresOutbox, relayOutbox } from '../src/index.ts'
import { placed, viewed } from './support/contracts.ts'
import { fixture } from './support/fixture.ts'
import { type PostgresServer, postgresServer } from './support/postgres-server.ts'

let postgres: PostgresServer
beforeAll(async () => {
  postgres = await postgresServer()
})
afterAll(async () => await postgres[Symbol.asyncDispose]())

test('what a pg transaction adds is published once, under its id, after the commit', async () => {
  await using f = await fixture(postgres)
  await using _relay = relayOutbox(f.mesh, f.db.pool)
  await f.transaction(async (client) => {
    await outbox.add(client, placed, { orderId: 'o1', n: 1 }, { id: 'first', correlationId: 'c1', causationId: 'x1' })
    await outbox.add(client, viewed, { orderId: 'o1', n: 2 }, { id: 'second', headers: { 'x-tenant': 'porto' } })
    expect(await f.stored()).toEqual([])
  })
  await eventually(async () => expect(await f.stored()).toHaveLength(2))
  const [first, second] = (await f.stored()).sort((a, b) => a.n - b.n)
  expect(first).toMatchObject({ id: 'first', key: 'o1', n: 1 })
  expect(first?.headers).toMatchObject({
    'ce-correlationid': 'c1',
    'ce-causationid': 'x1',
    'ce-dataschema': 'order.placed/1',
    'Nats-Msg-Id': 'first',
  })
  expect(second?.headers).toMatchObject({ 'ce-id': 'second', 'x-tenant': 'porto', 'ce-type': 'order.viewed' })
  await eventually(async () => expect(await f.db.sql('SELECT id FROM malha.outbox')).toEqual([]))
})

test('what is rolled back is never published, and does not hold up what is committed', async () => {
  await using f = await fixture(postgres)
  await using _relay = relayOutbox(f.mesh, f.db.pool)
  const failing = f.transaction(async (client) => {
    await outbox.add(client, placed, { orderId: 'o1', n: 1 }, { id: 'never' })
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  await f.transaction((client) => outbox.add(client, placed, { orderId: 'o1', n: 2 }, { id: 'kept' }))
  await eventually(async () => expect((await f.stored()).map(({ id }) => id)).toEqual(['kept']))
})

test('a kysely transaction adds like a pg one', async () => {
  await using f = await fixture(postgres)
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: f.db.pool }) })
  await db.transaction().execute((trx) => outbox.add(trx, placed, { orderId: 'o1', n: 1 }, { id: 'committed' }))
  const failing = db.transaction().execute(async (trx) => {
    await outbox.add(trx, placed, { orderId: 'o1', n: 2 }, { id: 'never' })
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  await using _relay = relayOutbox(f.mesh, f.db.pool)
  await eventually(async () => expect((await f.stored()).map(({ id }) => id)).toEqual(['committed']))
})

test('what is no transaction, and data that do not fit, are refused at once and nothing is added', async () => {
  await using f = await fixture(postgres)
  const order = { orderId: 'o1', n: 1 }
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: f.db.pool }) })
  const client = await f.db.pool.connect()
  for (const tx of [f.db.pool, kysely as never, client, {} as never])
    await expect(outbox.add(tx, placed, order)).rejects.toMatchObject({ code: 'OUTBOX_NOT_A_TRANSACTION' })
  client.release()
  const wrong = f.transaction((tx) => outbox.add(tx, placed, { orderId: 'o1', n: 'one' as never }))
  await expect(wrong).rejects.toMatchObject({ code: 'MESH_INVALID_PAYLOAD' })
  const elsewhere = postgresOutbox({ schema: 'elsewhere' })
  const missing = f.transaction((tx) => elsewhere.add(tx, placed, order))
  await expect(missing).rejects.toMatchObject({ code: 'OUTBOX_NOT_MIGRATED' })
  expect(await f.waiting()).toBe(0)
})

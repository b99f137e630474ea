import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrateOutbox, outbox, outboxSql, postgresOutbox, relayOutbox, retryDeadRows } from '../src/index.ts'
import { placed } from './support/contracts.ts'
import { fixture } from './support/fixture.ts'
import { type PostgresServer, postgresServer } from './support/postgres-server.ts'

let postgres: PostgresServer
beforeAll(async () => {
  postgres = await postgresServer()
})
afterAll(async () => await postgres[Symbol.asyncDispose]())

test('many processes may migrate at once: one does it, the others find it done', async () => {
  await using db = await postgres.database()
  const reports = await Promise.all(Array.from({ length: 6 }, () => migrateOutbox(db.pool)))
  expect(reports.filter(({ applied }) => applied.length > 0)).toEqual([{ applied: [1] }])
})

test('tables of a newer release are left alone, and said', async () => {
  await using f = await fixture(postgres)
  await f.db.sql('INSERT INTO malha.outbox_format (format) VALUES (2)')
  await expect(migrateOutbox(f.db.pool)).rejects.toMatchObject({ code: 'OUTBOX_NEWER_FORMAT' })
  await using relay = relayOutbox(f.mesh, f.db.pool)
  await eventually(() => expect(relay.health().reasons.join()).toMatch(/OUTBOX_NEWER_FORMAT/))
})

test('a relay waits for a database that is not migrated yet, and says so', async () => {
  await using f = await fixture(postgres)
  await using relay = relayOutbox(f.mesh, f.db.pool, { schema: 'later' })
  await eventually(() => expect(relay.health().reasons.join()).toMatch(/OUTBOX_NOT_MIGRATED/))
  await f.db.sql(await outboxSql({ schema: 'later' }))
  await eventually(() => expect(relay.health().ready).toBe(true))
})

test('two outboxes in one database do not meet, and a schema may be called by one of SQL’s own words', async () => {
  await using f = await fixture(postgres)
  await migrateOutbox(f.db.pool, { schema: 'order' })
  const other = postgresOutbox({ schema: 'order', name: 'other-service' })
  await using _relay = relayOutbox(f.mesh, f.db.pool, { schema: 'order' })
  await f.transaction(async (client) => {
    await outbox.add(client, placed, { orderId: 'o1', n: 1 }, { id: 'here' })
    await other.add(client, placed, { orderId: 'o1', n: 2 }, { id: 'there' })
  })
  await eventually(async () => expect(await f.stored()).toHaveLength(1))
  expect((await f.stored())[0]?.headers).toMatchObject({ 'ce-id': 'there', 'ce-source': '/other-service' })
  expect(await f.waiting()).toBe(1)
  expect(await retryDeadRows(f.db.pool, { schema: 'order' })).toBe(0)
})

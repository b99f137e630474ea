import { eventually, testMesh } from '@malha/testing'
import { Kysely, PostgresDialect } from 'kysely'
import { expect, test } from 'vitest'
import { postgresServer } from '../support/postgres-server.ts'
import { type Database, placeOrder, placeOrderWithKysely, startRelay } from './orders-api.ts'

test('orders and their events are there together, whichever library made the transaction', async () => {
  await using postgres = await postgresServer()
  await using db = await postgres.database()
  await using t = await testMesh()
  await using relay = await startRelay(t.mesh, db.pool)
  await db.sql('CREATE TABLE orders (id text PRIMARY KEY, total numeric NOT NULL)')
  const kysely = new Kysely<Database>({ dialect: new PostgresDialect({ pool: db.pool }) })
  await placeOrder(db.pool, { orderId: 'o1', total: 10 })
  await expect(placeOrder(db.pool, { orderId: 'o1', total: 11 })).rejects.toThrow(/duplicate key/)
  await placeOrderWithKysely(kysely, { orderId: 'o2', total: 20 })
  await expect(placeOrderWithKysely(kysely, { orderId: 'o2', total: 21 })).rejects.toThrow(/duplicate key/)
  const info = async (): Promise<number> => {
    const answer = await t.nats.request(`$JS.API.STREAM.INFO.${t.namespace}_ORDERS`)
    return answer.json<{ state: { messages: number } }>().state.messages
  }
  await eventually(async () => expect(await db.sql('SELECT id FROM malha.outbox')).toEqual([]))
  expect(await info()).toBe(2)
  expect(relay.health()).toEqual({ ready: true, reasons: [] })
})

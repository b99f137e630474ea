import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { outbox, relayOutbox } from '../src/index.ts'
import { placed } from './support/contracts.ts'
import { doubles, fixture, inversions } from './support/fixture.ts'
import { type PostgresServer, postgresServer } from './support/postgres-server.ts'

let postgres: PostgresServer
beforeAll(async () => {
  postgres = await postgresServer()
})
afterAll(async () => await postgres[Symbol.asyncDispose]())

test('rows of one key go out in their order, many keys at once', async () => {
  await using f = await fixture(postgres)
  await f.addOrders(2_000, { keys: 40, perTransaction: 500 })
  await using _relay = relayOutbox(f.mesh, f.db.pool)
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 30_000 })
  const stored = await f.stored()
  expect(stored).toHaveLength(2_000)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
})

test('a row waits for one of its key that was added before it and is committed after it', async () => {
  await using f = await fixture(postgres)
  await using _relay = relayOutbox(f.mesh, f.db.pool)
  const slow = await f.db.pool.connect()
  await slow.query('BEGIN')
  await outbox.add(slow, placed, { orderId: 'o1', n: 1 }, { id: 'added-first' })
  await f.addOrders(1, { prefix: 'second', from: 1, keys: 1 })
  await f.transaction((client) => outbox.add(client, placed, { orderId: 'o1', n: 2 }, { id: 'added-second' }))
  // Of other partitions all goes on meanwhile.
  await eventually(async () => expect((await f.stored()).map(({ id }) => id)).toEqual(['second1']))
  await slow.query('COMMIT')
  slow.release()
  await eventually(async () =>
    expect((await f.stored()).map(({ id }) => id)).toEqual(['second1', 'added-first', 'added-second']),
  )
})

import { eventually, testServer } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { outbox } from '../src/index.ts'
import { placed } from './support/contracts.ts'
import { doubles, type Fixture, fixture, inversions } from './support/fixture.ts'
import { type PostgresServer, postgresServer } from './support/postgres-server.ts'
import { relayProcess } from './support/relays.ts'

let postgres: PostgresServer
beforeAll(async () => {
  postgres = await postgresServer()
})
afterAll(async () => await postgres[Symbol.asyncDispose]())

const COUNT = 5_000
const KEYS = 100
const PER_TRANSACTION = 25

test('5,000 rows while relays, PostgreSQL and the broker are killed: none lost, none double, each key in order', async () => {
  await using server = await testServer()
  await using f = await fixture(postgres, { server })
  await f.db.sql('CREATE TABLE orders (n int PRIMARY KEY)')
  let relay = relayProcess(f)
  await using other = relayProcess(f)
  const adding = addAll(f)
  const past = async (share: number): Promise<void> =>
    await eventually(async () => expect(await lastSeq(f)).toBeGreaterThan(COUNT * share), { timeoutMs: 90_000 })

  await past(0.05)
  await relay.kill()
  await past(0.15)
  await server.restart()
  relay = relayProcess(f)
  await past(0.3)
  await postgres.restart()
  await past(0.45)
  await relay.kill()
  await Promise.all([server.restart(), postgres.restart()])
  relay = relayProcess(f)
  await past(0.6)
  await other.kill()
  await past(0.7)
  await postgres.restart()
  await adding
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 90_000 })
  await relay.kill()

  const stored = await f.stored()
  const committed = await f.db.sql<{ n: number }>('SELECT n FROM orders ORDER BY n')
  expect(stored.map(({ n }) => n).sort((a, b) => a - b)).toEqual(committed.map(({ n }) => n))
  expect(committed).toHaveLength(COUNT)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
}, 240_000)

/** Each order once, together with its event, though the answer to a COMMIT may be lost. */
async function addAll(f: Fixture): Promise<void> {
  for (let from = 0; from < COUNT; from += PER_TRANSACTION)
    await eventually(
      () =>
        f.transaction(async (client) => {
          for (let n = from; n < from + PER_TRANSACTION; n += 1) {
            const { rowCount } = await client.query('INSERT INTO orders VALUES ($1) ON CONFLICT DO NOTHING', [n])
            if (rowCount === 1) await outbox.add(client, placed, { orderId: `o${n % KEYS}`, n }, { id: `p${n}` })
          }
        }),
      { timeoutMs: 60_000 },
    )
}

async function lastSeq({ broker }: Fixture): Promise<number> {
  const answer = await broker.nats.request(`$JS.API.STREAM.INFO.${broker.namespace}_ORDERS`)
  return answer.json<{ state: { last_seq: number } }>().state.last_seq
}

import { setImmediate } from 'node:timers/promises'
import { eventually, faultProxy } from '@malha/testing'
import pg from 'pg'
import { expect, test } from 'vitest'
import { outbox, relayOutbox } from '../src/index.ts'
import { placed } from './support/contracts.ts'
import { fixture } from './support/fixture.ts'
import { postgresServer } from './support/postgres-server.ts'

const SESSION_MS = 2000
const ROWS = 10
/** What a relay of these rows gets before it is cut off: its questions are answered, its first payloads are not. */
const LET_THROUGH = 256 * 1024

test('a relay that is cut off while it is sent what it asked for keeps its partitions no longer than any', async () => {
  await using postgres = await postgresServer()
  await using f = await fixture(postgres)
  const note = 'x'.repeat(900_000)
  await f.transaction(async (client) => {
    for (let n = 0; n < ROWS; n++) await outbox.add(client, placed, { orderId: `o${n}`, n, note })
  })
  await using way = await faultProxy({ target: postgres.port })
  const cutOff = new pg.Pool({ connectionString: f.db.url.replace(`:${postgres.port}/`, `:${way.port}/`) })
  cutOff.on('error', () => undefined)
  const first = relayOutbox(f.mesh, cutOff, { pollMs: 200, sessionMs: SESSION_MS })
  while (way.counts.bytesToClient < LET_THROUGH) await setImmediate()
  // Its end is not heard of either.
  way.stall()
  const stopped = first.stop()
  await using _second = relayOutbox(f.mesh, f.db.pool, { pollMs: 200, sessionMs: SESSION_MS })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 30_000 })
  expect(await f.stored()).toHaveLength(ROWS)
  await stopped
}, 90_000)

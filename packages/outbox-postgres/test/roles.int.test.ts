import { eventually } from '@malha/testing'
import pg from 'pg'
import { expect, test } from 'vitest'
import { outbox, relayOutbox } from '../src/index.ts'
import { placed } from './support/contracts.ts'
import { fixture } from './support/fixture.ts'
import { postgresServer } from './support/postgres-server.ts'

test('roles with the least privileges that are documented can add, and relay', async () => {
  await using postgres = await postgresServer()
  await using f = await fixture(postgres)
  await f.db.sql(`
    CREATE ROLE adder LOGIN; CREATE ROLE relay LOGIN;
    GRANT USAGE ON SCHEMA malha TO adder, relay;
    GRANT USAGE ON SEQUENCE malha.outbox_id TO adder;
    GRANT INSERT ON malha.outbox TO adder;
    GRANT SELECT ON SEQUENCE malha.outbox_id TO relay;
    GRANT SELECT, UPDATE, DELETE ON malha.outbox TO relay;
    GRANT SELECT ON malha.outbox_format TO relay;`)
  const as = (role: string): string => f.db.url.replace('malha@', `${role}@`)
  const pool = new pg.Pool({ connectionString: as('relay') })
  const client = new pg.Client({ connectionString: as('adder') })
  await client.connect()
  const relay = relayOutbox(f.mesh, pool, { keepMs: 100, pollMs: 50 })
  await client.query('BEGIN')
  await outbox.add(client, placed, { orderId: 'o1', n: 1 })
  await client.query('COMMIT')
  await eventually(async () => expect(await f.stored()).toHaveLength(1))
  await eventually(async () => expect(await f.db.sql('SELECT id FROM malha.outbox')).toEqual([]))
  await relay.stop()
  await client.end()
  await pool.end()
})

import { expect, test } from 'vitest'
import { migrateOutbox } from '../src/index.ts'
import { lastIdQuery } from '../src/relay/ownership.ts'
import { outboxNames } from '../src/schema/names.ts'
import { postgresServer } from './support/postgres-server.ts'

const READS = 400_000

test('the last id is never one that is not given out yet, however fast others take ids', async () => {
  await using postgres = await postgresServer()
  await using db = await postgres.database()
  await migrateOutbox(db.pool)
  const names = outboxNames()
  // Both within the server, where the moment in which a wrong one can be read is met.
  await db.sql(`CREATE FUNCTION take() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    LOOP PERFORM nextval('${names.quoted}.outbox_id'); END LOOP; END $$`)
  await db.sql(`CREATE FUNCTION too_high(reads integer) RETURNS integer LANGUAGE plpgsql AS $$
    DECLARE last bigint; given bigint; wrong integer := 0;
    BEGIN
      FOR n IN 1..reads LOOP
        last := (${lastIdQuery(names)});
        given := pg_sequence_last_value('${names.quoted}.outbox_id'::regclass);
        IF last > given THEN wrong := wrong + 1; END IF;
      END LOOP;
      RETURN wrong;
    END $$`)
  expect(await db.sql(lastIdQuery(names))).toEqual([{ last: '0' }])
  const taker = await db.pool.connect()
  const [{ pid } = { pid: 0 }] = await taker.query('SELECT pg_backend_pid() AS pid').then(({ rows }) => rows)
  const taking = taker.query('SELECT take()').then(
    () => 'ended by itself',
    (error: Error) => error.message,
  )
  const [found] = await db.sql('SELECT too_high($1)', [READS])
  await db.sql('SELECT pg_cancel_backend($1)', [pid])
  expect(await taking).toMatch(/canceling/)
  taker.release()
  expect(found).toEqual({ too_high: 0 })
  expect(Number((await db.sql<{ last: string }>(lastIdQuery(names)))[0]?.last)).toBeGreaterThan(READS / 10)
}, 60_000)

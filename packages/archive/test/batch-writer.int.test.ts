import { connectClickHouse } from '../src/clickhouse/connect.ts'
import { openLeaseBucket } from '../src/lease/lease-bucket.ts'
import { type Row, toRow } from '../src/message/row.ts'
import { migrate } from '../src/schema/migrate.ts'
import { BatchWriter, type BatchWriterDeps } from '../src/write/batch-writer.ts'
import { killLeftInserts, queryIdPrefix, readCursor } from '../src/write/cursor.ts'
import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

const row = (stream: string, seq: number): Row =>
  toRow(
    { stream, epoch: 1 },
    { seq, subject: 's', storedAtNs: `${Date.now()}000000`, headers: {}, payload: Buffer.from(`${seq}`) },
  )

async function writer(stream: string, more: Partial<BatchWriterDeps> = {}) {
  const client = connectClickHouse({ url: servers.clickhouse.url }, 'write')
  await migrate(client, await openLeaseBucket(servers.nats, servers.namespace()))
  const seen = { stored: 0, retries: [] as unknown[], dead: [] as number[] }
  const deps: BatchWriterDeps = {
    client,
    target: { stream, epoch: 1 },
    leaseToken: 'lease',
    assertHeld: () => undefined,
    assertSameTable: () => Promise.resolve(),
    signal: new AbortController().signal,
    on: {
      sending: () => undefined,
      retry: (_, error) => seen.retries.push(error),
      stored: (rows) => {
        seen.stored += rows
      },
      deadLetter: (seq) => seen.dead.push(seq),
    },
    ...more,
  }
  const stop = async (): Promise<void> => await client.close()
  return { client, seen, batches: new BatchWriter(deps), [Symbol.asyncDispose]: stop }
}

test('a row ClickHouse can not read becomes a dead letter with its reason, the other rows are stored', async () => {
  await using bad = await writer('POISON')
  const rows = Array.from({ length: 50 }, (_, index) => row('POISON', index + 1))
  // Nothing the archiver makes of a message looks like this; a fault of its own would.
  rows[16] = rows[16]?.with(3, '\ud800') as unknown as Row
  rows[49] = rows[49]?.with(12, 'no time') as unknown as Row
  await bad.batches.store(rows)
  expect(bad.seen).toMatchObject({ stored: 48, dead: [17, 50], retries: [] })
  const letters = await servers.clickhouse.sql<{ seq: string; code: string; row_json: string }>(
    "SELECT toString(seq) AS seq, code, row_json FROM archive.dead_letters WHERE stream = 'POISON' ORDER BY seq",
  )
  expect(letters.map(({ seq, code }) => [seq, code])).toEqual([
    ['17', '25'],
    ['50', expect.stringMatching(/^(6|27|38|41)$/)],
  ])
  expect(JSON.parse(letters[0]?.row_json ?? '')).toEqual(rows[16])
  expect(await readCursor(bad.client, { stream: 'POISON', epoch: 1 })).toMatchObject({ seq: 49 })
})

test('a token ClickHouse remembers without having its rows does not swallow a batch', async () => {
  await using first = await writer('SWALLOW')
  const rows = [row('SWALLOW', 1), row('SWALLOW', 2)]
  await first.batches.store(rows)
  // What a crash between writing the log of tokens and the part leaves behind.
  await servers.clickhouse.run("ALTER TABLE archive.events DELETE WHERE stream = 'SWALLOW' SETTINGS mutations_sync = 2")
  await using second = await writer('SWALLOW')
  await second.batches.store(rows)
  const [count] = await servers.clickhouse.sql<{ n: number }>(
    "SELECT toUInt32(count()) AS n FROM archive.events WHERE stream = 'SWALLOW'",
  )
  expect(count?.n).toBe(2)
})

test('what an operator deleted is stored again, also where ClickHouse keeps the tokens of its batches', async () => {
  await using first = await writer('AGAIN')
  await using other = await writer('OTHER')
  const rows = [row('AGAIN', 1), row('AGAIN', 2), row('AGAIN', 3)]
  for (const one of rows) await first.batches.store([one])
  // A part that keeps a row keeps its tokens.
  await other.batches.store([row('OTHER', 1)])
  await servers.clickhouse.run('OPTIMIZE TABLE archive.events FINAL')
  await servers.clickhouse.run(
    "ALTER TABLE archive.events DELETE WHERE stream = 'AGAIN' AND seq > 1 SETTINGS mutations_sync = 2",
  )
  await using second = await writer('AGAIN')
  for (const one of rows.slice(1)) await second.batches.store([one])
  const [count] = await servers.clickhouse.sql<{ n: number }>(
    "SELECT toUInt32(count()) AS n FROM archive.events WHERE stream = 'AGAIN'",
  )
  expect(count?.n).toBe(3)
})

test('the same batch sent again is stored once', async () => {
  await using twice = await writer('TWICE')
  const rows = [row('TWICE', 1), row('TWICE', 2)]
  await twice.batches.store(rows)
  await twice.batches.store(rows)
  const [count] = await servers.clickhouse.sql<{ n: number }>(
    "SELECT toUInt32(count()) AS n FROM archive.events WHERE stream = 'TWICE'",
  )
  expect(count?.n).toBe(2)
})

test('inserts a previous writer has left running are ended before the cursor is read', async () => {
  await using next = await writer('LEFT')
  const slow = next.client.command({
    query: `INSERT INTO archive.events (stream, epoch, seq, published_at)
      SELECT 'LEFT', 1, number + 1, now64(9) FROM numbers(60) WHERE sleepEachRow(0.5) = 0 SETTINGS max_block_size = 1`,
    query_id: `${queryIdPrefix('LEFT')}dead:1`,
  })
  const ended = slow.then(
    () => 'stored',
    (error: Error) => error.message,
  )
  const running = async () =>
    await servers.clickhouse.sql(
      `SELECT 1 FROM system.processes WHERE startsWith(query_id, '${queryIdPrefix('LEFT')}')`,
    )
  await eventually(async () => expect(await running()).toHaveLength(1))
  await killLeftInserts(next.client, 'LEFT')
  expect(await running()).toEqual([])
  expect(await ended).toMatch(/cancel/i)
  expect(await servers.clickhouse.sql("SELECT 1 FROM archive.events WHERE stream = 'LEFT'")).toEqual([])
})

test('a writer without its lease inserts nothing', async () => {
  const assertHeld = (): void => {
    throw new Error('lost')
  }
  await using late = await writer('LATE', { assertHeld })
  await expect(late.batches.store([row('LATE', 1)])).rejects.toThrow('lost')
  expect(await servers.clickhouse.sql("SELECT 1 FROM archive.events WHERE stream = 'LATE'")).toEqual([])
})

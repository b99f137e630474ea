import type { ClickHouseClient } from '@clickhouse/client'
import { codeOf } from '../clickhouse/faults.ts'
import { select } from '../clickhouse/run.ts'
import { reasonOf } from '../errors.ts'
import { ROW_COLUMNS, type Row, type StreamEpoch } from '../message/row.ts'

/** One attempt to store rows. */
export type Insert = {
  readonly rows: readonly Row[]
  /** Names exactly these rows: ClickHouse drops an insert whose token it has seen, whatever the rows are. */
  readonly token: string
  readonly queryId: string
  readonly signal: AbortSignal
}

/** Sends one insert; resolves once the rows are a part on disk (or were one already, under the same token). */
export async function insertRows(client: ClickHouseClient, insert: Insert): Promise<void> {
  await client.insert<Row>({
    table: 'archive.events',
    columns: [...ROW_COLUMNS] as [string, ...string[]],
    values: insert.rows,
    format: 'JSONCompactEachRow',
    query_id: insert.queryId,
    abort_signal: insert.signal,
    clickhouse_settings: {
      async_insert: 0,
      insert_deduplicate: 1,
      insert_deduplication_token: insert.token,
      // One block, so that the insert is stored whole or not at all, and its token stands for all of it.
      input_format_parallel_parsing: 0,
      max_insert_threads: '1',
      max_insert_block_size: '1048576',
      input_format_skip_unknown_fields: 0,
      input_format_allow_errors_num: '0',
    },
  })
}

/** How many of a range's sequences are in the table. */
export async function countStored(
  client: ClickHouseClient,
  target: StreamEpoch,
  range: { first: number; last: number },
): Promise<number> {
  const [row] = await select<{ n: string }>(
    client,
    `SELECT uniqExact(seq) AS n FROM archive.events
     WHERE stream = {stream:String} AND epoch = {epoch:UInt32} AND seq BETWEEN {first:UInt64} AND {last:UInt64}`,
    { ...target, ...range },
  )
  return Number(row?.n ?? 0)
}

/** Keeps a row ClickHouse refuses, with its reason, where nothing in it can be refused again. */
export async function insertDeadLetter(client: ClickHouseClient, row: Row, why: unknown): Promise<void> {
  const rowB64 = Buffer.from(JSON.stringify(row)).toString('base64')
  await client.insert({
    table: 'archive.dead_letters',
    columns: ['stream', 'epoch', 'seq', 'code', 'reason', 'row_b64'],
    values: [[row[0], row[1], row[2], codeOf(why), reasonOf(why), rowB64]],
    format: 'JSONCompactEachRow',
    clickhouse_settings: { async_insert: 0 },
  })
}

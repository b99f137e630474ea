import type { ClickHouseClient } from '@clickhouse/client'
import { execute, select } from '../clickhouse/run.ts'
import type { StreamEpoch } from '../message/row.ts'

/** The last row of a stream's life in the table: the one place that knows how far the archive is. */
export type Cursor = { readonly seq: number; readonly storedAtNs: string }

/** Undefined: nothing is archived yet. ORDER BY … LIMIT 1 reads one granule; max(seq) would read the whole stream. */
export async function readCursor(client: ClickHouseClient, target: StreamEpoch): Promise<Cursor | undefined> {
  const [row] = await select<{ seq: string; ns: string }>(
    client,
    `SELECT seq, toUnixTimestamp64Nano(published_at) AS ns FROM archive.events
     WHERE stream = {stream:String} AND epoch = {epoch:UInt32} ORDER BY seq DESC LIMIT 1`,
    target,
  )
  return row && { seq: Number(row.seq), storedAtNs: row.ns }
}

/** Every insert of a stream is known by this prefix, whoever sent it. */
export const queryIdPrefix = (stream: string): string => `arch:${stream}:`

/**
 * Ends inserts a previous writer has left running and waits until they are gone, so that the cursor read next is final.
 */
export async function killLeftInserts(client: ClickHouseClient, stream: string): Promise<void> {
  await execute(client, 'KILL QUERY WHERE startsWith(query_id, {prefix:String}) SYNC FORMAT Null', {
    prefix: queryIdPrefix(stream),
  })
}

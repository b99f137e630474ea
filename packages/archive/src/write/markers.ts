import type { ClickHouseClient } from '@clickhouse/client'
import { names } from '@malha/mesh'
import { select } from '../clickhouse/run.ts'
import type { Range } from '../audit/ranges.ts'
import type { StreamEpoch } from '../message/row.ts'

/**
 * Whether a message of `stream` (as the server names it) is no event but a handler's done-marker. Such a message is not
 * archived; its sequence is written down.
 */
export function isMarker(stream: string, subject: string): boolean {
  // Neither a namespace nor the name of an event stream has a `_`.
  const [plain = '', namespace = ''] = stream.split('_').toReversed()
  return subject.startsWith(names(namespace).doneMarkers(plain).slice(0, -1))
}

/** Writes down which sequences hold markers; the same one twice is one row. */
export async function recordMarkers(
  client: ClickHouseClient,
  { stream, epoch }: StreamEpoch,
  seqs: readonly number[],
): Promise<void> {
  if (seqs.length === 0) return
  await client.insert({
    table: 'archive.markers',
    columns: ['stream', 'epoch', 'seq'],
    values: seqs.map((seq) => [stream, epoch, seq]),
    format: 'JSONCompactEachRow',
    clickhouse_settings: { async_insert: 0 },
  })
}

/** Markers known in a range of sequences. */
export async function markersIn(client: ClickHouseClient, target: StreamEpoch, range: Range): Promise<Range[]> {
  const rows = await select<Record<'first' | 'last', string>>(
    client,
    `SELECT min(seq) AS first, max(seq) AS last FROM (
       SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island FROM (
         SELECT DISTINCT seq FROM archive.markers
         WHERE stream = {stream:String} AND epoch = {epoch:UInt32} AND seq BETWEEN {first:UInt64} AND {last:UInt64})
     ) GROUP BY island ORDER BY first`,
    { ...target, first: range.first, last: range.last },
  )
  return rows.map((row) => ({ first: Number(row.first), last: Number(row.last) }))
}

import type { ClickHouseClient } from '@clickhouse/client'
import type { StreamEpoch } from '../message/row.ts'
import type { Hole } from './row-buffer.ts'

/** A range that will never be archived. `expired`: it left the stream too early and is lost. `deleted`: someone removed it. */
export type Gap = StreamEpoch & {
  readonly firstSeq: number
  readonly lastSeq: number
  readonly reason: 'expired' | 'deleted'
}

/**
 * What is behind a hole. Streams remove from the front what is too old or too much, so what lies before the first
 * sequence went that way; a hole behind it was made by hand or by a limit per subject.
 */
export function gapOf(target: StreamEpoch, hole: Hole, streamFirstSeq: number): Gap {
  const reason = hole.first < streamFirstSeq ? 'expired' : 'deleted'
  return { ...target, firstSeq: hole.first, lastSeq: hole.last, reason }
}

/** Writes gaps; the same gap twice is one row. */
export async function recordGaps(client: ClickHouseClient, gaps: readonly Gap[]): Promise<void> {
  if (gaps.length === 0) return
  await client.insert({
    table: 'archive.gaps',
    columns: ['stream', 'epoch', 'first_seq', 'last_seq', 'reason'],
    values: gaps.map((gap) => [gap.stream, gap.epoch, gap.firstSeq, gap.lastSeq, gap.reason]),
    format: 'JSONCompactEachRow',
    clickhouse_settings: { async_insert: 0 },
  })
}

import type { ClickHouseClient } from '@clickhouse/client'
import { select } from '../clickhouse/run.ts'
import type { StreamEpoch } from '../message/row.ts'
import { type Finding, FindingBuilder, type GapRow } from './report.ts'
import type { Range } from './ranges.ts'

const OF_STREAM = 'stream = {stream:String} AND epoch = {epoch:UInt32}'

/** Every life of every stream the table knows. */
export async function archivedLives(client: ClickHouseClient): Promise<StreamEpoch[]> {
  return await select<StreamEpoch>(client, 'SELECT DISTINCT stream, epoch FROM archive.events ORDER BY stream, epoch')
}

/** Rows as they are on disk: FINAL would hide what the audit is looking for. */
export type RowCounts = { readonly rows: number; readonly seqs: number; readonly first: number; readonly last: number }

/** Undefined: no rows. */
export async function countRows(
  client: ClickHouseClient,
  target: StreamEpoch,
  upTo: number,
): Promise<RowCounts | undefined> {
  const [row] = await select<Record<'rows' | 'seqs' | 'first' | 'last', string>>(
    client,
    `SELECT count() AS rows, uniqExact(seq) AS seqs, min(seq) AS first, max(seq) AS last
     FROM archive.events WHERE ${OF_STREAM} AND seq <= {upTo:UInt64}`,
    { ...target, upTo },
  )
  if (!row || row.rows === '0') return undefined
  return { rows: Number(row.rows), seqs: Number(row.seqs), first: Number(row.first), last: Number(row.last) }
}

/** Ranges between the first and the last row up to `upTo` of which there is none, and which hold no markers. */
export async function holesOf(
  client: ClickHouseClient,
  target: StreamEpoch,
  { from, upTo }: { from: number; upTo: number },
): Promise<Range[]> {
  const rows = await select<Record<'first' | 'last', string>>(
    client,
    `SELECT prev + 1 AS first, seq - 1 AS last FROM (
       SELECT seq, lagInFrame(seq, 1, seq) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS prev
       FROM (SELECT DISTINCT seq FROM (
         SELECT seq FROM archive.events WHERE ${OF_STREAM} AND seq <= {upTo:UInt64}
         UNION ALL
         SELECT seq FROM archive.markers WHERE ${OF_STREAM} AND seq <= {upTo:UInt64} AND seq > {from:UInt64}))
     ) WHERE seq > prev + 1 ORDER BY first`,
    { ...target, from, upTo },
  )
  return rows.map((row) => ({ first: Number(row.first), last: Number(row.last) }))
}

export async function duplicatesOf(
  client: ClickHouseClient,
  target: StreamEpoch,
): Promise<{ duplicates: Finding; contradicting: number[] }> {
  const rows = await select<{ seq: string; extra: string; versions: string }>(
    client,
    `SELECT seq, count() - 1 AS extra, uniqExact(event_id, subject, published_at, SHA256(payload)) AS versions
     FROM archive.events WHERE ${OF_STREAM} GROUP BY seq HAVING extra > 0 ORDER BY seq`,
    target,
  )
  const duplicates = new FindingBuilder()
  for (const row of rows) for (let n = 0; n < Number(row.extra); n += 1) duplicates.add(Number(row.seq))
  const contradicting = rows.filter((row) => row.versions !== '1').map((row) => Number(row.seq))
  return { duplicates: duplicates.build(), contradicting }
}

export async function gapsOf(client: ClickHouseClient, target: StreamEpoch): Promise<GapRow[]> {
  const rows = await select<{ first_seq: string; last_seq: string; reason: string; at: string }>(
    client,
    `SELECT first_seq, last_seq, reason, toString(detected_at) AS at FROM archive.gaps FINAL WHERE ${OF_STREAM} ORDER BY first_seq`,
    target,
  )
  return rows.map((row) => ({
    first: Number(row.first_seq),
    last: Number(row.last_seq),
    reason: row.reason,
    detectedAt: row.at,
  }))
}

export async function deadLettersOf(client: ClickHouseClient, target: StreamEpoch): Promise<number[]> {
  const rows = await select<{ seq: string }>(
    client,
    `SELECT DISTINCT seq FROM archive.dead_letters WHERE ${OF_STREAM} ORDER BY seq`,
    target,
  )
  return rows.map((row) => Number(row.seq))
}

/** What of a row is compared with the message. */
export type RowFacts = { seq: number; id: string; subject: string; ns: string; sha256: string }

export async function factsOf(client: ClickHouseClient, target: StreamEpoch, range: Range): Promise<RowFacts[]> {
  const rows = await select<{ seq: string } & Omit<RowFacts, 'seq'>>(
    client,
    `SELECT seq, event_id AS id, subject, toUnixTimestamp64Nano(published_at) AS ns, lower(hex(SHA256(payload))) AS sha256
     FROM archive.events WHERE ${OF_STREAM} AND seq BETWEEN {first:UInt64} AND {last:UInt64}`,
    { ...target, first: range.first, last: range.last },
  )
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }))
}

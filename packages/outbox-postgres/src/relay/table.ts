import type { PreparedEvent } from '@malha/mesh'
import type { OutboxError } from '../errors.ts'
import { type OutboxNames, PARTITIONS } from '../schema/names.ts'
import { eventOf } from './event-of.ts'
import type { Found, Lane, Waiting } from './lanes.ts'
import type { Session } from './session.ts'

/** A row that is about to be published. */
export type Claimed = {
  readonly id: number
  /** Or why there is none. */
  readonly event: PreparedEvent | OutboxError
  /** 1 at the first. */
  readonly tries: number
  readonly triedAfter: number
  readonly triedEpoch: number
  /** performance.now() at which it was added, by PostgreSQL's clock alone. */
  readonly addedAt: number
}

/** Up to where a partition was read, and may be. */
export type Span = { readonly partition: number; readonly after: number; readonly upTo: number }

/** Where the stream stood before the row's first publish. */
export type Position = { readonly epoch: number; readonly lastSeq: number }

const WAITING = 'published_at IS NULL AND dead_at IS NULL'

/** Rows of a stream that wait, at most `limit` of each partition, in the order of their ids. */
export async function scan(
  session: Session,
  { table }: OutboxNames,
  { stream, spans, limit }: { stream: string; spans: readonly Span[]; limit: number },
): Promise<Found[]> {
  const { rows } = await session.query(
    `SELECT o.* FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS s (partition, after, up_to)
     CROSS JOIN LATERAL (
       SELECT id, partition, order_key, octet_length(payload) AS bytes,
         greatest(0, extract(epoch FROM next_at - clock_timestamp()) * 1000)::float8 AS wait_ms
       FROM ${table} r WHERE r.stream = $1 AND r.partition = s.partition AND r.id > s.after AND r.id <= s.up_to AND ${WAITING}
       ORDER BY r.id LIMIT $5) AS o
     ORDER BY o.id`,
    [stream, ...['partition', 'after', 'upTo'].map((name) => spans.map((span) => span[name as keyof Span])), limit],
  )
  return rows.map((row) => ({
    id: Number(row['id']),
    partition: Number(row['partition']),
    orderKey: (row['order_key'] as string | null) ?? undefined,
    bytes: Number(row['bytes']),
    waitMs: Number(row['wait_ms'] ?? 0),
  }))
}

/** More rows of one key. */
export async function scanKey(
  session: Session,
  { table }: OutboxNames,
  { stream, lane, upTo, limit }: { stream: string; lane: Lane; upTo: number; limit: number },
): Promise<Waiting[]> {
  const { rows } = await session.query(
    `SELECT id, octet_length(payload) AS bytes FROM ${table}
     WHERE stream = $1 AND partition = $2 AND order_key = $3 AND id > $4 AND id <= $5 AND ${WAITING} ORDER BY id LIMIT $6`,
    [stream, lane.partition, lane.orderKey, lane.leftBehind ?? 0, upTo, limit],
  )
  return rows.map(({ id, bytes }) => ({ id: Number(id), bytes: Number(bytes) }))
}

/** Streams that have rows waiting. */
export async function streamsWaiting(session: Session, { table }: OutboxNames): Promise<string[]> {
  // A loose index scan: one look-up a stream, whatever number of rows.
  const { rows } = await session.query(
    `WITH RECURSIVE s AS (
       (SELECT stream FROM ${table} WHERE ${WAITING} ORDER BY stream LIMIT 1)
       UNION ALL SELECT (SELECT t.stream FROM ${table} t WHERE t.stream > s.stream AND ${WAITING} ORDER BY t.stream LIMIT 1)
       FROM s WHERE s.stream IS NOT NULL)
     SELECT stream FROM s WHERE stream IS NOT NULL`,
  )
  return rows.map(({ stream }) => String(stream))
}

/** Notes that the rows may be in the stream from now on, and gives them whole, in the order of their ids. */
export async function claim(
  session: Session,
  { table }: OutboxNames,
  { ids, position }: { ids: readonly number[]; position: Position },
): Promise<Map<number, Claimed>> {
  const { rows } = await session.query(
    `UPDATE ${table} SET tries = tries + 1, tried_after = coalesce(tried_after, $2), tried_epoch = coalesce(tried_epoch, $3), next_at = NULL
     WHERE id = ANY ($1::bigint[]) AND ${WAITING}
     RETURNING id, message, payload, tries, tried_after, tried_epoch, extract(epoch FROM clock_timestamp() - created_at)::float8 * 1000 AS age_ms`,
    [ids, position.lastSeq, position.epoch],
  )
  const now = performance.now()
  const claimed = rows.map((row): [number, Claimed] => [
    Number(row['id']),
    {
      id: Number(row['id']),
      event: eventOf(Number(row['id']), row['message'], row['payload'] as Uint8Array),
      tries: Number(row['tries']),
      triedAfter: Number(row['tried_after']),
      triedEpoch: Number(row['tried_epoch']),
      addedAt: now - Number(row['age_ms']),
    },
  ])
  return new Map(claimed)
}

/** Published rows go, or stay for a while. */
export async function settle(
  session: Session,
  { table }: OutboxNames,
  { ids, keep }: { ids: readonly number[]; keep: boolean },
): Promise<void> {
  const change = keep
    ? `UPDATE ${table} SET published_at = clock_timestamp(), dead_at = NULL, last_error = NULL`
    : `DELETE FROM ${table}`
  await session.query(`${change} WHERE id = ANY ($1::bigint[])`, [ids])
}

export type Fault = { readonly id: number; readonly reason: string; readonly waitMs: number | undefined }

/** Writes down what kept rows from being published; one without `waitMs` is dead. What another relay has settled stays. */
export async function writeFaults(session: Session, { table }: OutboxNames, faults: readonly Fault[]): Promise<void> {
  await session.query(
    `UPDATE ${table} AS o SET last_error = f.reason, next_at = clock_timestamp() + f.wait_ms * interval '1 ms',
       dead_at = CASE WHEN f.wait_ms IS NULL THEN clock_timestamp() END
     FROM unnest($1::bigint[], $2::text[], $3::float8[]) AS f (id, reason, wait_ms) WHERE o.id = f.id AND ${WAITING}`,
    [faults.map(({ id }) => id), faults.map(({ reason }) => reason), faults.map(({ waitMs }) => waitMs ?? null)],
  )
}

export type Depth = { readonly waiting: number; readonly oldestMs: number; readonly dead: number }

/** So many rows are counted and no more: with millions of them the count would take longer than a session may be silent. */
export const COUNTED_ROWS = 10_000

/** How much waits, up to a bound, and for how long the first row of some stream and partition does. */
export async function depth(session: Session, { table }: OutboxNames, streams: readonly string[]): Promise<Depth> {
  // Ordered as the indexes are, so that they are used: a scan of the table would pass over all rows that are kept.
  const { rows } = await session.query(
    `SELECT
       (SELECT count(*) FROM (
         SELECT FROM ${table} WHERE ${WAITING} ORDER BY stream, partition, id LIMIT $1) AS w) AS waiting,
       (SELECT count(*) FROM (SELECT FROM ${table} WHERE dead_at IS NOT NULL ORDER BY dead_at LIMIT $1) AS d) AS dead,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(first.created_at)) * 1000, 0)::float8
        FROM unnest($2::text[]) AS s (stream), generate_series(0, $3::int - 1) AS p (partition), LATERAL (
          SELECT created_at FROM ${table} r WHERE r.stream = s.stream AND r.partition = p.partition AND ${WAITING}
          ORDER BY r.id LIMIT 1) AS first) AS oldest_ms`,
    [COUNTED_ROWS, streams, PARTITIONS],
  )
  const [row = {}] = rows
  return { waiting: Number(row['waiting']), oldestMs: Number(row['oldest_ms']), dead: Number(row['dead']) }
}

/** Rows removed at once. */
const PURGED_ROWS = 10_000

/** Removes published rows that were kept long enough, some thousands at a time. Each relay takes others. */
export async function purge(session: Session, { table }: OutboxNames, keepMs: number): Promise<void> {
  // Not clock_timestamp(): it may change from row to row, so that every row that is kept would be read.
  await session.query(
    `DELETE FROM ${table} WHERE id = ANY (ARRAY(
       SELECT id FROM ${table} WHERE published_at < statement_timestamp() - $1::float8 * interval '1 ms'
       ORDER BY published_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
    [keepMs, PURGED_ROWS],
  )
}

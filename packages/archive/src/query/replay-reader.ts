import type { ClickHouseOptions } from '../clickhouse/connect.ts'
import { withReader } from './read-only.ts'

/** Which events of one stream. Those between two sequences that fit all that is said. */
export type ReplayQuery = {
  /** As the server names it. */
  stream: string
  epoch: number
  /** Exclusive, and inclusive. */
  after: number
  upTo: number
  /** A regular expression (RE2) that the whole type fits. */
  typePattern: string
  key: string | null
  /** Stored at or after, before; RFC 3339. */
  since: string | null
  until: string | null
}

/** An event to send again: the bytes and headers it had. */
export type ReplayedEvent = {
  readonly seq: number
  readonly subject: string
  /** When JetStream stored it; ISO, nanoseconds. */
  readonly publishedAt: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly payload: Uint8Array
}

/** Reads events of the archive in the order of their stream, to be sent again. */
export interface ReplayReader {
  /** How many there are, and the sequence of the last one, 0 for none. @throws ArchiveError */
  count(query: ReplayQuery): Promise<{ count: number; last: number }>
  /** The first of them, at most `limit`, fewer where they are large; none where there are none. @throws ArchiveError */
  read(query: ReplayQuery & { limit: number }): Promise<ReplayedEvent[]>
}

/** Of payloads in one answer, but for the first. */
const MOST_BYTES = 16 * 1024 ** 2

type Row = { seq: string; subject: string; published: string; headers: Record<string, string[]>; payload_b64: string }

/** The archive as what a replay reads from. */
export function replayReader(clickhouse: ClickHouseOptions): ReplayReader {
  return {
    count: (query) =>
      withReader(clickhouse, {}, async (read) => {
        const [row] = await read<{ count: string; last: string }>(
          `SELECT count() AS count, max(seq) AS last FROM archive.events FINAL WHERE ${WHERE}`,
          paramsOf(query),
        )
        return { count: Number(row?.count ?? 0), last: Number(row?.last ?? 0) }
      }),
    read: ({ limit, ...query }) =>
      withReader(clickhouse, {}, async (read) => {
        const rows = await read<Row>(
          `SELECT seq, subject, toString(published_at) AS published, headers, base64Encode(payload) AS payload_b64
           FROM (
             SELECT *, sum(length(payload)) OVER (ORDER BY seq) AS bytes
             FROM (
               SELECT seq, subject, published_at, headers, payload FROM archive.events FINAL
               WHERE ${WHERE} ORDER BY seq LIMIT {limit:UInt32}
             )
           )
           WHERE bytes <= ${MOST_BYTES} OR bytes = length(payload) ORDER BY seq`,
          { ...paramsOf(query), limit },
        )
        return rows.map(eventOf)
      }),
  }
}

const WHERE = `stream = {stream:String} AND epoch = {epoch:UInt32} AND seq > {after:UInt64} AND seq <= {upTo:UInt64}
  AND match(event_type, {typePattern:String})
  AND ({key:Nullable(String)} IS NULL OR decodeURLComponent(headers['ce-partitionkey'][1]) = {key:Nullable(String)})
  AND ({since:Nullable(Int64)} IS NULL OR published_at >= fromUnixTimestamp64Milli(assumeNotNull({since:Nullable(Int64)}), 'UTC'))
  AND ({until:Nullable(Int64)} IS NULL OR published_at < fromUnixTimestamp64Milli(assumeNotNull({until:Nullable(Int64)}), 'UTC'))`

function paramsOf({ since, until, typePattern, ...query }: ReplayQuery): Record<string, unknown> {
  const ms = (time: string | null): number | null => (time === null ? null : Date.parse(time))
  return { ...query, typePattern: `^(?:${typePattern})$`, since: ms(since), until: ms(until) }
}

const eventOf = ({ seq, subject, published, headers, payload_b64: payload }: Row): ReplayedEvent => ({
  seq: Number(seq),
  subject,
  publishedAt: `${published.replace(' ', 'T')}Z`,
  headers: Object.entries(headers).flatMap(([name, values]) => values.map((value) => [name, value] as const)),
  payload: Buffer.from(payload, 'base64'),
})

import type { ClickHouseOptions } from '../clickhouse/connect.ts'
import { withReader } from './read-only.ts'

/** A stream as the archive saw it last. */
export type KeptStream = {
  /** As the server names it. */
  readonly stream: string
  readonly epoch: number
  /** The server's configuration of it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly lastSeq: number
  /** When, RFC 3339. */
  readonly recordedAt: string
}

export type KeptFloor = {
  readonly stream: string
  readonly epoch: number
  readonly durable: string
  /** It had acks for all up to this sequence. */
  readonly floor: number
  /** Of a durable on lanes: `<stream without namespace>.<epoch>.<seq>@<stored, unix ns>` of each event that was there. */
  readonly waiting: readonly string[]
  readonly config: Readonly<Record<string, unknown>>
}

export type KeptPartition = { readonly bucket: string; readonly key: string; readonly value: string }

export type KeptMesh = {
  /** The last life of each. */
  readonly streams: readonly KeptStream[]
  readonly floors: readonly KeptFloor[]
  readonly partitions: readonly KeptPartition[]
}

/**
 * What the archive wrote down of a mesh beside its events: streams, where durables stood, records of ordered handlers.
 * @throws ArchiveError ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE
 */
export async function readKeptMesh(clickhouse: ClickHouseOptions): Promise<KeptMesh> {
  return await withReader(clickhouse, {}, async (read) => {
    const streams = await read<{ stream: string; epoch: number; config: string; last_seq: string; at: string }>(
      `SELECT stream, epoch, config, last_seq, toString(recorded_at) AS at FROM archive.streams FINAL
       ORDER BY stream, epoch DESC LIMIT 1 BY stream`,
      {},
    )
    const floors = await read<Omit<KeptFloor, 'floor' | 'config'> & { floor: string; config: string }>(
      `SELECT stream, epoch, durable, floor, waiting, config FROM archive.floors FINAL ORDER BY stream, epoch, durable`,
      {},
    )
    const partitions = await read<KeptPartition>(
      'SELECT bucket, key, value FROM archive.partitions FINAL ORDER BY bucket, key',
      {},
    )
    return {
      streams: streams.map(({ config, at, last_seq: lastSeq, ...rest }) => ({
        ...rest,
        lastSeq: Number(lastSeq),
        config: JSON.parse(config) as Record<string, unknown>,
        recordedAt: `${at.replace(' ', 'T')}Z`,
      })),
      floors: floors.map(({ floor, config, ...rest }) => ({
        ...rest,
        floor: Number(floor),
        config: JSON.parse(config) as Record<string, unknown>,
      })),
      partitions,
    }
  })
}

/** Events of one life of a stream behind a sequence, stored at or after `since` (RFC 3339): how many, the first and the last; 0 for none. */
export async function archivedExtent(
  clickhouse: ClickHouseOptions,
  { since, ...of }: { stream: string; epoch: number; after: number; since: string | null },
): Promise<{ count: number; first: number; last: number; lastAt: string }> {
  return await withReader(clickhouse, {}, async (read) => {
    const [row] = await read<Record<'count' | 'first' | 'last' | 'at', string>>(
      `SELECT uniqExact(seq) AS count, min(seq) AS first, max(seq) AS last, toString(max(published_at)) AS at FROM archive.events
       WHERE stream = {stream:String} AND epoch = {epoch:UInt32} AND seq > {after:UInt64}
         AND ({since:Nullable(Int64)} IS NULL OR published_at >= fromUnixTimestamp64Milli(assumeNotNull({since:Nullable(Int64)}), 'UTC'))`,
      { ...of, since: since === null ? null : Date.parse(since) },
    )
    const [count, first, last] = [row?.count, row?.first, row?.last].map((text) => Number(text ?? 0))
    return { count: count!, first: first!, last: last!, lastAt: `${(row?.at ?? '').replace(' ', 'T')}Z` }
  })
}

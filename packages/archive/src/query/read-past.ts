import { without } from '../audit/ranges.ts'
import type { ClickHouseOptions } from '../clickhouse/connect.ts'
import { type ArchivedEvent, EVENT_COLUMNS, eventOf, type EventRow } from './archived-event.ts'
import { type Read, type ReadLimits, withReader } from './read-only.ts'

/** What a stream held before a place in it. */
export type Past = {
  /** Full name on the server. */
  readonly stream: string
  /** The first that is wanted. @default the first there was, of all lives of the stream */
  readonly from?: { readonly epoch: number; readonly seq: number }
  /** Everything of earlier lives of the stream, and of the life `epoch` what comes before sequence `seq`. */
  readonly before: { readonly epoch: number; readonly seq: number }
  /** Whole types (`ce-type`). @default all events */
  readonly types?: readonly string[]
}

/** Sequences that the stream had and the archive has not, inclusive. */
export type MissingRange = { readonly epoch: number; readonly from: number; readonly to: number }

/** Rows read at once: a payload may have some megabytes. */
const PAGE = 200

const OF_PAST = `stream = {stream:String}
  AND epoch <= {epoch:UInt32} AND (epoch < {epoch:UInt32} OR seq < {seq:UInt64})
  AND epoch >= {fromEpoch:UInt32} AND (epoch > {fromEpoch:UInt32} OR seq >= {fromSeq:UInt64})`

/**
 * Events of a stream from the archive, in the order in which they were stored: what the stream itself may have forgotten.
 * `missingOf` says what is not there.
 * @throws ArchiveError ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE, also after some events came
 */
export async function* readPast(
  clickhouse: ClickHouseOptions,
  { types = [], ...past }: Past,
  limits: ReadLimits = {},
): AsyncGenerator<ArchivedEvent> {
  let from = past.from
  for (;;) {
    const rows = await withReader(clickhouse, limits, (read) =>
      read<EventRow>(
        `SELECT ${EVENT_COLUMNS} FROM archive.events FINAL WHERE ${OF_PAST}
         ${types.length > 0 ? 'AND event_type IN {types:Array(String)}' : ''}
         ORDER BY epoch, seq LIMIT {page:UInt32}`,
        { ...paramsOf({ ...past, ...(from && { from }) }), types: [...types], page: PAGE },
      ),
    )
    yield* rows.map(eventOf)
    const last = rows.at(-1)
    if (!last || rows.length < PAGE) return
    from = { epoch: last.epoch, seq: Number(last.seq) + 1 }
  }
}

/**
 * What of a stream's past is neither an event of the archive nor a done-marker, nor was removed from the stream by hand: it
 * aged out before it was archived, or the archive keeps it no longer. Of earlier lives nobody knows where they ended.
 * @throws ArchiveError ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE
 */
export async function missingOf(
  clickhouse: ClickHouseOptions,
  past: Omit<Past, 'types'>,
  limits: ReadLimits = {},
): Promise<MissingRange[]> {
  return await withReader(clickhouse, limits, async (read) => {
    const holes = await holesOf(read, past)
    const removed = await read<{ epoch: number; first: string; last: string }>(
      `SELECT epoch, first_seq AS first, last_seq AS last FROM archive.gaps FINAL
       WHERE stream = {stream:String} AND reason = 'deleted' AND epoch <= {epoch:UInt32} ORDER BY epoch, first`,
      { stream: past.stream, epoch: past.before.epoch },
    )
    return holes.flatMap(({ epoch, from, to }) => {
      const byHand = removed.filter((gap) => gap.epoch === epoch)
      const ranges = byHand.map(({ first, last }) => ({ first: Number(first), last: Number(last) }))
      return without({ first: from, last: to }, ranges).map(({ first, last }) => ({ epoch, from: first, to: last }))
    })
  })
}

/** From where it begins to the first row, between rows, and in the life of `before` from the last row to it. */
async function holesOf(read: Read, past: Omit<Past, 'types'>): Promise<MissingRange[]> {
  const rows = await read<{ epoch: number; from: string; to: string }>(
    `SELECT epoch, prev + 1 AS from, seq - 1 AS to FROM (
       SELECT epoch, seq, greatest(lagInFrame(seq, 1, 0) OVER
         (PARTITION BY epoch ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
         toUInt64(if(epoch = {fromEpoch:UInt32}, {fromSeq:UInt64} - 1, 0))) AS prev
       FROM (SELECT DISTINCT epoch, seq FROM (
         SELECT epoch, seq FROM archive.events WHERE ${OF_PAST}
         UNION ALL SELECT epoch, seq FROM archive.markers WHERE ${OF_PAST}
         UNION ALL SELECT {epoch:UInt32} AS epoch, {seq:UInt64} AS seq))
     ) WHERE seq > prev + 1 ORDER BY epoch, from`,
    paramsOf(past),
  )
  return rows.map(({ epoch, from, to }) => ({ epoch, from: Number(from), to: Number(to) }))
}

const paramsOf = ({ stream, before, from }: Omit<Past, 'types'>): Record<string, unknown> => ({
  stream,
  ...before,
  fromEpoch: from?.epoch ?? 0,
  fromSeq: from?.seq ?? 1,
})

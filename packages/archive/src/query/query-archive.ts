import type { ClickHouseOptions } from '../clickhouse/connect.ts'
import { ArchiveError } from '../errors.ts'
import { type ArchivedEvent, EVENT_COLUMNS, eventOf, type EventRow } from './archived-event.ts'
import { readEach, type ReadLimits, withReader } from './read-only.ts'

/** Which events. What is given must all hold; nothing given: the latest. */
export type EventFilter = ReadLimits & {
  /** `ce-id`. */
  id?: string
  /** The key, as the publisher gave it. */
  key?: string
  /** `ce-type`, whole. */
  type?: string
  /** Trace id, 32 hex digits. */
  trace?: string
  correlation?: string
  /** Full name on the server. */
  stream?: string
  /** Stored at or after. Anything `new Date()` reads. */
  since?: Date | string
  /** Stored before. */
  until?: Date | string
  /** @default 100 */
  limit?: number
}

/**
 * Looks events up, newest first.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS, ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE
 */
export async function queryArchive(clickhouse: ClickHouseOptions, filter: EventFilter = {}): Promise<ArchivedEvent[]> {
  const limit = limitOf(filter.limit)
  const { where, params } = conditions(filter)
  return await withReader(clickhouse, filter, async (read) => {
    const rows = await read<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM archive.events FINAL ${where} ORDER BY published_at DESC, seq DESC LIMIT {limit:UInt32}`,
      { ...params, limit },
    )
    return rows.map(eventOf)
  })
}

/**
 * The same, each as it comes: for many, or large ones. Whoever stops reading ends the query.
 * @throws ArchiveError (when it is read) ARCHIVE_INVALID_OPTIONS, ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE
 */
export async function* eachArchived(
  clickhouse: ClickHouseOptions,
  filter: EventFilter = {},
): AsyncGenerator<ArchivedEvent> {
  const limit = limitOf(filter.limit)
  const { where, params } = conditions(filter)
  const query = `SELECT ${EVENT_COLUMNS} FROM archive.events FINAL ${where} ORDER BY published_at DESC, seq DESC LIMIT {limit:UInt32}`
  for await (const row of readEach<EventRow>(clickhouse, filter, { query, params: { ...params, limit } }))
    yield eventOf(row)
}

export type SqlOptions = ReadLimits & {
  /** Values for `{name:Type}` in the text. */
  params?: Readonly<Record<string, unknown>>
  /** Most rows that come back. @default 1_000 */
  limit?: number
}

/**
 * Runs a query of the user's own, read-only and bounded in time and rows. 64-bit integers come as text.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS, ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE
 */
export async function queryArchiveSql(
  clickhouse: ClickHouseOptions,
  sql: string,
  options: SqlOptions = {},
): Promise<Record<string, unknown>[]> {
  const limit = limitOf(options.limit ?? 1_000)
  const query = sql.trim().replace(/;$/, '')
  return await withReader(clickhouse, options, async (read) => {
    const rows = await read<Record<string, unknown>>(query, options.params ?? {}, {
      max_result_rows: String(limit),
      result_overflow_mode: 'break',
    })
    return rows.slice(0, limit) // 'break' ends after the block in which the limit was passed
  })
}

/** The filter as SQL with bound parameters: no value is ever part of the text. */
export function conditions(filter: EventFilter): { where: string; params: Record<string, unknown> } {
  const terms: string[] = []
  const params: Record<string, unknown> = {}
  const add = (term: string, name: string, value: unknown): void => {
    if (value === undefined) return
    terms.push(term)
    params[name] = value
  }
  add('event_id = {id:String}', 'id', filter.id)
  // The header carries the key percent-encoded; the subject's last token is only a digest of it for odd keys.
  add("decodeURLComponent(headers['ce-partitionkey'][1]) = {key:String}", 'key', filter.key)
  add('event_type = {type:String}', 'type', filter.type)
  add('trace_id = lower({trace:String})', 'trace', filter.trace)
  add('correlation_id = {correlation:String}', 'correlation', filter.correlation)
  add('stream = {stream:String}', 'stream', filter.stream)
  add("published_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')", 'since', msOf('since', filter.since))
  add("published_at < fromUnixTimestamp64Milli({until:Int64}, 'UTC')", 'until', msOf('until', filter.until))
  return { where: terms.length > 0 ? `WHERE ${terms.join(' AND ')}` : '', params }
}

function msOf(name: string, value: Date | string | undefined): number | undefined {
  if (value === undefined) return undefined
  const ms = new Date(value).getTime()
  if (Number.isNaN(ms))
    throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', `${name} is no time; it looks like 2026-11-21T10:00:00Z`)
  return ms
}

function limitOf(limit: number = 100): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
    throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', `limit is ${limit}; 1 to 100000`)
  return limit
}

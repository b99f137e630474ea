import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { codeOf, isDenied } from '../clickhouse/faults.ts'
import { type ClickHouseOptions, connectClickHouse, hostOf } from '../clickhouse/connect.ts'
import { ArchiveError, deniedByClickHouse, reasonOf } from '../errors.ts'

/** Bounds of a query made by a person. */
export type ReadLimits = {
  /** After how long the server gives up, ms. @default 15_000 */
  timeoutMs?: number
}

/** Runs `work` with a client that can only read, and closes it. */
export async function withReader<T>(
  clickhouse: ClickHouseOptions,
  limits: ReadLimits,
  work: (read: Read) => Promise<T>,
): Promise<T> {
  const { client, settings } = reader(clickhouse, limits)
  try {
    return await work(
      async (query, params, more) => await read(client, query, { params, settings: { ...more, ...settings } }),
    )
  } catch (error) {
    throw refused(error, hostOf(clickhouse.url))
  } finally {
    await client.close()
  }
}

/**
 * The rows of a query as they come, for results that may be larger than memory. Whoever stops reading ends the query.
 * @throws ArchiveError ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE, also after some rows came
 */
export async function* readEach<Row>(
  clickhouse: ClickHouseOptions,
  limits: ReadLimits,
  { query, params }: { query: string; params: Readonly<Record<string, unknown>> },
): AsyncGenerator<Row> {
  const { client, settings } = reader(clickhouse, limits)
  try {
    const result = await client.query({
      query,
      format: 'JSONEachRow',
      query_params: { ...params },
      clickhouse_settings: settings,
    })
    for await (const rows of result.stream<Row>()) for (const row of rows) yield row.json()
  } catch (error) {
    throw refused(error, hostOf(clickhouse.url))
  } finally {
    await client.close()
  }
}

function reader(
  clickhouse: ClickHouseOptions,
  { timeoutMs = 15_000 }: ReadLimits,
): { client: ClickHouseClient; settings: ClickHouseSettings } {
  const client = connectClickHouse({ ...clickhouse, requestTimeoutMs: timeoutMs + 2_000 }, 'read')
  const settings: ClickHouseSettings = {
    // 1: the query can't change these settings either.
    readonly: '1',
    max_execution_time: Math.ceil(timeoutMs / 1000),
    cancel_http_readonly_queries_on_client_close: 1,
    output_format_json_quote_64bit_integers: 1,
    use_skip_indexes_if_final: 1,
  }
  return { client, settings }
}

export type Read = <Row>(
  query: string,
  params: Readonly<Record<string, unknown>>,
  more?: ClickHouseSettings,
) => Promise<Row[]>

type ReadRequest = { params: Readonly<Record<string, unknown>>; settings: ClickHouseSettings }

async function read<Row>(client: ClickHouseClient, query: string, request: ReadRequest): Promise<Row[]> {
  const result = await client.query({
    query,
    format: 'JSONEachRow',
    query_params: { ...request.params },
    clickhouse_settings: request.settings,
  })
  return await result.json<Row>()
}

function refused(error: unknown, host: string): ArchiveError {
  if (error instanceof ArchiveError) return error
  if (isDenied(error)) return deniedByClickHouse(error, host)
  const what = reasonOf(error)
  if (codeOf(error) !== '')
    return new ArchiveError('ARCHIVE_QUERY_REFUSED', `ClickHouse says: ${what}`, { cause: error })
  const why = `ClickHouse at ${host} does not answer (${what}); see that it runs and that its URL and credentials are right`
  return new ArchiveError('ARCHIVE_UNREACHABLE', why, { cause: error })
}

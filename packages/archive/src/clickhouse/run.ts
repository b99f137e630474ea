import type { ClickHouseClient } from '@clickhouse/client'

/** Parameters of a query, bound by the server: `{name:Type}` in the text. */
export type Params = Readonly<Record<string, unknown>>

/** Reads all rows of a query. Always drained: an unread result would hold its socket for ever. */
export async function select<Row>(client: ClickHouseClient, query: string, params: Params = {}): Promise<Row[]> {
  const result = await client.query({
    query,
    format: 'JSONEachRow',
    query_params: params,
    clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
  })
  return await result.json<Row>()
}

/** Runs a statement without a result. */
export async function execute(client: ClickHouseClient, query: string, params: Params = {}): Promise<void> {
  await client.command({ query, query_params: params })
}

import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { DIGEST_OF_ROW } from './digest.ts'
import type { ArchiveRow } from './final-state.ts'
import { finalFile } from './saved-run.ts'
import { openWriter } from './write-lines.ts'

/** As rows are on disk: FINAL would hide a second copy. */
const ROWS = `SELECT stream, epoch, seq, event_id AS id, ${DIGEST_OF_ROW} AS digest
  FROM archive.events ORDER BY stream, epoch, seq`

/**
 * Writes down every row of the archive.
 * @throws when ClickHouse does not answer
 */
export async function gatherArchive(clickhouseUrl: string, run: string): Promise<void> {
  await using client = createClient({
    url: clickhouseUrl,
    request_timeout: 300_000,
    log: { level: ClickHouseLogLevel.ERROR },
  })
  await using rows = openWriter<ArchiveRow>(finalFile(run, 'archive'))
  const found = await client.query({
    query: ROWS,
    format: 'JSONEachRow',
    // Sequences are far below 2^53.
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  })
  for await (const batch of found.stream<ArchiveRow>()) for (const row of batch) await rows.write(row.json())
}

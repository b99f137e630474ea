import { type ClickHouseOptions, clickHouseOptions } from '@malha/archive'
import type { Mesh } from '@malha/mesh'
import { openOperations, type Operations } from '@malha/operations'
import type { Command } from 'commander'

/** Adds `--clickhouse`. */
export function withArchive(command: Command): Command {
  const clickhouse = process.env['CLICKHOUSE_URL'] || 'http://127.0.0.1:8123'
  return command.option('--clickhouse <url>', 'ClickHouse of the archive; CLICKHOUSE_URL', clickhouse)
}

/**
 * How ClickHouse at a URL is reached. Where that names no user, it is the one of `CLICKHOUSE_USER`, with `CLICKHOUSE_PASSWORD_FILE` or
 * `CLICKHOUSE_PASSWORD`.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS: no URL, or a file that cannot be read
 */
export function clickhouseAt(
  url: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClickHouseOptions {
  return clickHouseOptions({ ...(URL.parse(url)?.username ? {} : env), CLICKHOUSE_URL: url })
}

/** With what is read from the archive; it is not asked before. */
export const openWithArchive = (mesh: Mesh, { clickhouse }: { clickhouse: string }): Promise<Operations> =>
  openOperations(mesh, { archive: clickhouseAt(clickhouse) })

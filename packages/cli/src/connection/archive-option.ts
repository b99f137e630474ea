import type { Mesh } from '@malha/mesh'
import { openOperations, type Operations } from '@malha/operations'
import type { Command } from 'commander'

/** Adds `--clickhouse`. */
export function withArchive(command: Command): Command {
  const clickhouse = process.env['CLICKHOUSE_URL'] || 'http://127.0.0.1:8123'
  return command.option('--clickhouse <url>', 'ClickHouse of the archive; CLICKHOUSE_URL', clickhouse)
}

/** With what is read from the archive; it is not asked before. */
export const openWithArchive = (mesh: Mesh, { clickhouse: url }: { clickhouse: string }): Promise<Operations> =>
  openOperations(mesh, { archive: { url } })

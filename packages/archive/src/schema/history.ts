import type { ClickHouseClient } from '@clickhouse/client'
import { isSchemaGone } from '../clickhouse/faults.ts'
import { execute, select } from '../clickhouse/run.ts'
import { ArchiveError } from '../errors.ts'
import type { Migration } from './migration-file.ts'

/** A migration as it was applied. */
export type AppliedMigration = { version: number; name: string; sha256: string }

// 'Atomic' is said out loud: the default database of an embedded engine is of another kind.
const BOOTSTRAP = [
  'CREATE DATABASE IF NOT EXISTS archive ENGINE = Atomic',
  `CREATE TABLE IF NOT EXISTS archive.schema_migrations (
    version UInt32, name String, sha256 FixedString(64), statements UInt16, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
  ) ENGINE = ReplacingMergeTree(applied_at) ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
]

/** Makes the database and the table the history is kept in; nothing if they are there. */
export async function bootstrap(client: ClickHouseClient): Promise<void> {
  for (const statement of BOOTSTRAP) await execute(client, statement)
}

/** What has been applied, oldest first; nothing on a server that has no archive yet. */
export async function readHistory(client: ClickHouseClient): Promise<AppliedMigration[]> {
  try {
    return await select<AppliedMigration>(
      client,
      'SELECT version, name, sha256 FROM archive.schema_migrations FINAL ORDER BY version',
    )
  } catch (error) {
    if (isSchemaGone(error)) return []
    throw error
  }
}

export async function recordApplied(client: ClickHouseClient, migration: Migration): Promise<void> {
  await client.insert({
    table: 'archive.schema_migrations',
    columns: ['version', 'name', 'sha256', 'statements'],
    values: [[migration.version, migration.name, migration.sha256, migration.statements.length]],
    format: 'JSONCompactEachRow',
    clickhouse_settings: { async_insert: 0 },
  })
}

/**
 * What is still to be applied. Versions only the history knows are left alone: they come from a newer release, and
 * migrations only ever add.
 * @throws ArchiveError ARCHIVE_MIGRATION_CHANGED when a file is not what was applied under its number
 */
export function pendingOf(files: readonly Migration[], applied: readonly AppliedMigration[]): Migration[] {
  const known = new Map(applied.map((entry) => [entry.version, entry]))
  return files.filter((file) => {
    const entry = known.get(file.version)
    if (entry && entry.sha256 !== file.sha256)
      throw new ArchiveError(
        'ARCHIVE_MIGRATION_CHANGED',
        `${file.name} is not what was applied as ${entry.name} (sha256 ${file.sha256.slice(0, 12)}…, applied ${entry.sha256.slice(0, 12)}…); restore the file and put the change into a new one`,
      )
    return entry === undefined
  })
}

import type { NatsConnection } from '@nats-io/transport-node'
import { type ClickHouseOptions, connectClickHouse } from './clickhouse/connect.ts'
import { openLeaseBucket } from './lease/lease-bucket.ts'
import { checkNamespace } from './naming.ts'
import { migrate, type MigrateOptions, type MigrationReport } from './schema/migrate.ts'

/**
 * Brings the archive's tables up to date. The archiver does so by itself; this is for a deployment that wants to see it
 * first (`dryRun`) or do it apart.
 * @throws ArchiveError ARCHIVE_MIGRATION_CHANGED, ARCHIVE_MIGRATION_FAILED, ARCHIVE_MIGRATION_INVALID, ARCHIVE_MIGRATION_LOCKED
 */
export async function migrateArchive(
  source: { nats: NatsConnection; namespace?: string; clickhouse: ClickHouseOptions },
  options: MigrateOptions = {},
): Promise<MigrationReport> {
  const client = connectClickHouse(source.clickhouse, 'write', options.log)
  try {
    const leases = await openLeaseBucket(source.nats, checkNamespace(source.namespace ?? ''))
    return await migrate(client, leases, options)
  } finally {
    await client.close()
  }
}

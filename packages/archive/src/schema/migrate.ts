import type { ClickHouseClient } from '@clickhouse/client'
import { type LeaseBucket, type Logger, silentLogger } from '@malha/mesh'
import { codeOf } from '../clickhouse/faults.ts'
import { execute } from '../clickhouse/run.ts'
import { ArchiveError, reasonOf } from '../errors.ts'
import { withLock } from '../lease/lock.ts'
import { bootstrap, pendingOf, readHistory, recordApplied } from './history.ts'
import { type Migration, readMigrations } from './migration-file.ts'

/** What a run of the migrations did, or with `dryRun` would do. */
export type MigrationReport = { applied: string[]; pending: string[]; unknown: string[] }

export type MigrateOptions = {
  /** Says what would be done and does nothing. @default false */
  dryRun?: boolean
  /** Where the migrations are. @default those of this package */
  folder?: URL
  /** How long to wait for another process that migrates, ms. @default 60_000 */
  waitMs?: number
  log?: Logger
}

/**
 * Brings the schema up to date, once, whoever else tries at the same time: the lock is a key in NATS. ClickHouse knows no
 * transaction over DDL, so every statement can be repeated and a file that failed half-way is run again from its start.
 * @throws ArchiveError ARCHIVE_MIGRATION_CHANGED, ARCHIVE_MIGRATION_FAILED, ARCHIVE_MIGRATION_INVALID, ARCHIVE_MIGRATION_LOCKED
 */
export async function migrate(
  client: ClickHouseClient,
  leases: LeaseBucket,
  options: MigrateOptions = {},
): Promise<MigrationReport> {
  const files = await readMigrations(options.folder)
  const before = await plan(client, files)
  if (options.dryRun || before.pending.length === 0) return report([], before)
  return await withLock(leases, { key: 'migrations', waitMs: options.waitMs ?? 60_000 }, async (held) => {
    await bootstrap(client)
    // Read again: whoever held the lock before may have done it all.
    const now = await plan(client, files)
    const applied: string[] = []
    for (const migration of now.pending) {
      await apply(client, migration, held)
      applied.push(migration.name)
      ;(options.log ?? silentLogger).info({ migration: migration.name }, 'archive schema: migration applied')
    }
    return report(applied, { pending: [], unknown: now.unknown })
  })
}

async function apply(client: ClickHouseClient, migration: Migration, held: () => void): Promise<void> {
  for (const [index, statement] of migration.statements.entries()) {
    held()
    await execute(client, statement).catch((error: unknown) => {
      if (codeOf(error) === '') throw error // no answer; not the statement's fault
      const detail = `${migration.name}, statement ${index + 1}: ${reasonOf(error)}`
      throw new ArchiveError('ARCHIVE_MIGRATION_FAILED', detail, { cause: error })
    })
  }
  held()
  await recordApplied(client, migration)
}

type Plan = { pending: Migration[]; unknown: string[] }

async function plan(client: ClickHouseClient, files: readonly Migration[]): Promise<Plan> {
  const applied = await readHistory(client)
  const unknown = applied.filter((entry) => !files.some((file) => file.version === entry.version))
  return { pending: pendingOf(files, applied), unknown: unknown.map((entry) => entry.name) }
}

function report(applied: string[], rest: Plan): MigrationReport {
  return { applied, pending: rest.pending.map((migration) => migration.name), unknown: rest.unknown }
}

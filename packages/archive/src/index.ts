export { archiveStreams } from './archive-streams.ts'
export type { ArchiveHealth, ArchiveSource, RunningArchive } from './archive-streams.ts'
export { auditArchive } from './audit/audit-archive.ts'
export type { AuditOptions } from './audit/audit-archive.ts'
export type { ArchiveAudit, Finding, GapRow, StreamAudit, Totals } from './audit/report.ts'
export type { ClickHouseOptions } from './clickhouse/connect.ts'
export { clickHouseOptions } from './config.ts'
export { ArchiveError, archiveErrors } from './errors.ts'
export type { ArchiveErrorCode } from './errors.ts'
export { migrateArchive } from './migrate-archive.ts'
export type { ArchiveOptions } from './options.ts'
export type { ArchivedEvent } from './query/archived-event.ts'
export { eventArchive } from './query/event-archive.ts'
export type { ForgottenEvent, ForgottenStretch } from './query/event-archive.ts'
export { queryJourney, treeOf } from './query/journey.ts'
export type { Caused, JourneyEvent } from './query/journey.ts'
export {
  archivedExtent,
  type KeptFloor,
  type KeptMesh,
  type KeptPartition,
  type KeptStream,
  readKeptMesh,
} from './query/kept-mesh.ts'
export { eachArchived, queryArchive, queryArchiveSql } from './query/query-archive.ts'
export type { EventFilter, SqlOptions } from './query/query-archive.ts'
export { missingOf, readPast } from './query/read-past.ts'
export type { MissingRange, Past } from './query/read-past.ts'
export type { ReadLimits } from './query/read-only.ts'
export { REBUILT_FROM, rebuiltFrom } from './message/rebuilt.ts'
export { replayReader } from './query/replay-reader.ts'
export type { ReplayedEvent, ReplayQuery, ReplayReader } from './query/replay-reader.ts'
export { parseMigration, readMigrations } from './schema/migration-file.ts'
export type { Migration } from './schema/migration-file.ts'
export type { MigrateOptions, MigrationReport } from './schema/migrate.ts'
export { isArchived } from './write/stream-info.ts'

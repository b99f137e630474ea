import type { ClickHouseClient } from '@clickhouse/client'
import type { LeaseBucket, Logger } from '@malha/mesh'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { ArchiveMetrics } from '../metrics.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Gap } from './gaps.ts'

/** What every writer of one archiver shares, and which stream this one writes. */
export type WriterDeps = {
  readonly nats: NatsConnection
  readonly jsm: JetStreamManager
  readonly leases: LeaseBucket
  readonly client: ClickHouseClient
  readonly stream: string
  readonly options: ResolvedOptions
  readonly log: Logger
  readonly metrics: ArchiveMetrics
  /** Migrates if that has not been done; again after `schemaGone`. */
  readonly ensureSchema: () => Promise<void>
  readonly schemaGone: () => void
  readonly on: { readonly gap: (gap: Gap) => void }
}

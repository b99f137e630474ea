import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { archiveStreams, migrateArchive, type RunningArchive } from '@malha/archive'
import { type Logger, type Metrics, noMetrics, silentLogger } from '@malha/mesh'
import { startClickHouse } from '@malha/stack'
import type { NatsConnection } from '@nats-io/transport-node'
import { NAMESPACE } from './orders.ts'
import type { Place } from './scenario.ts'

/** Where the archive of a case is, as its variants get it. */
export type ArchiveSettings = { readonly clickhouse: string; readonly clickhousePid: number }

/** A fresh ClickHouse in a folder of its own, for the time of a case. */
export async function startArchive({ opened }: Place): Promise<ArchiveSettings> {
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-bench-clickhouse-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  // Tables are dropped here: never those of somebody else's server.
  const { CLICKHOUSE_URL: _, ...env } = process.env
  const server = opened.use(await startClickHouse({ dataDir, env }))
  return { clickhouse: server.url, clickhousePid: server.pid! }
}

export const connectClickHouse = (url: string): ClickHouseClient =>
  createClient({ url, clickhouse_settings: { async_insert: 0 } })

/** The archive's tables, empty, with nothing in them that knows an insert again. */
export async function emptyArchive(client: ClickHouseClient, nats: NatsConnection, url: string): Promise<void> {
  await client.command({ query: 'DROP DATABASE IF EXISTS archive SYNC' })
  await migrateArchive({ nats, namespace: NAMESPACE, clickhouse: { url } })
}

/** The archive as its process runs it; `onRows` hears how many events each insert stored. */
export function runArchive(nats: NatsConnection, url: string, onRows: (count: number) => void): RunningArchive {
  const metrics: Metrics = {
    ...noMetrics,
    counter: ({ name }) => ({
      add: (_, by = 1) => void (name === 'mesh_archive_rows_total' && onRows(by)),
    }),
  }
  const tell = (fields: object, message: string): void =>
    void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
  const log: Logger = { ...silentLogger, warn: tell, error: tell }
  return archiveStreams({ nats, namespace: NAMESPACE }, { url }, { metrics, log })
}

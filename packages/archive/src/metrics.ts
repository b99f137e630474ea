import type { Counter, Gauge, Histogram, Metrics } from '@malha/mesh'

/** What the archive counts. */
export type ArchiveMetrics = {
  readonly lagMessages: Gauge
  readonly lagSeconds: Gauge
  readonly retentionUsed: Gauge
  readonly writer: Gauge
  readonly batchSeconds: Histogram
  readonly rows: Counter
  readonly retries: Counter
  readonly gapMessages: Counter
  readonly deadLetters: Counter
  readonly floorsAge: Gauge
}

const BATCH_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export function archiveMetrics(metrics: Metrics): ArchiveMetrics {
  const labels = ['stream']
  const gauge = (name: string, help: string): Gauge => metrics.gauge({ name, help, labels })
  const counter = (name: string, help: string): Counter => metrics.counter({ name, help, labels })
  return {
    lagMessages: gauge('mesh_archive_lag_messages', 'Events of the stream not yet in the archive'),
    lagSeconds: gauge('mesh_archive_lag_seconds', 'Age of the oldest event not yet in the archive'),
    retentionUsed: gauge(
      'mesh_archive_retention_used_ratio',
      'How much of the time (or space) the stream keeps its events for has passed for the oldest one not yet archived; at 1 it is lost',
    ),
    writer: gauge('mesh_archive_writer', '1 where this process is the writer of the stream'),
    batchSeconds: metrics.histogram({
      name: 'mesh_archive_batch_seconds',
      help: 'Time to store one batch, retries included',
      labels,
      buckets: BATCH_BUCKETS,
    }),
    rows: counter('mesh_archive_rows_total', 'Events stored'),
    retries: counter('mesh_archive_retries_total', 'Inserts that failed and were tried again'),
    gapMessages: counter('mesh_archive_gap_messages_total', 'Events that left the stream before they were archived'),
    deadLetters: counter('mesh_archive_dead_letters_total', 'Events ClickHouse could not read, kept as dead letters'),
    floorsAge: metrics.gauge({
      name: 'mesh_archive_floors_age_seconds',
      help: 'How old what is written down of where handlers stand may be; 0 in a process that does not write it',
      labels: [],
    }),
  }
}

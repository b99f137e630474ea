import type { Dashboard } from './dashboard.ts'

const OF = '{stream=~"$stream"}'
const EACH = '{{stream}}'

export const archive: Dashboard = {
  uid: 'malha-archive',
  title: 'archive',
  description: 'Whether ClickHouse has every event, and how long it has time to take those it lacks.',
  choices: [{ name: 'stream', label: 'Stream', values: 'label_values(mesh_archive_lag_messages, stream)' }],
  rows: {
    Lag: [
      {
        title: 'Lag in events',
        description: 'Not yet in the archive.',
        unit: 'short',
        queries: { [EACH]: `max by (stream) (mesh_archive_lag_messages${OF})` },
      },
      {
        title: 'Lag in time',
        description: 'Age of the oldest of them.',
        unit: 's',
        queries: { [EACH]: `max by (stream) (mesh_archive_lag_seconds${OF})` },
      },
      {
        title: 'Used of the time there is',
        description: 'At 1 the oldest event that is not in the archive is lost to it.',
        unit: 'percentunit',
        queries: { [EACH]: `max by (stream) (mesh_archive_retention_used_ratio${OF})` },
      },
      {
        title: 'Writers',
        description: 'One a stream.',
        unit: 'short',
        queries: { [EACH]: `sum by (stream) (mesh_archive_writer${OF})` },
      },
    ],
    Writing: [
      {
        title: 'Events stored',
        description: 'A second.',
        unit: 'ops',
        queries: { [EACH]: `sum by (stream) (rate(mesh_archive_rows_total${OF}[5m]))` },
      },
      {
        title: 'Time to store a batch',
        description: 'Retries included.',
        unit: 's',
        queries: {
          '{{stream}} 95 %': `histogram_quantile(0.95, sum by (stream, le) (rate(mesh_archive_batch_seconds_bucket${OF}[5m])))`,
        },
      },
      {
        title: 'Retries',
        description: 'Inserts that failed and were tried again.',
        unit: 'ops',
        queries: { [EACH]: `sum by (stream) (rate(mesh_archive_retries_total${OF}[5m]))` },
      },
      {
        title: 'Missing',
        description: 'Events that left the stream before, and events that ClickHouse could not read.',
        unit: 'short',
        queries: {
          '{{stream}} gap': `sum by (stream) (increase(mesh_archive_gap_messages_total${OF}[1h]))`,
          '{{stream}} unreadable': `sum by (stream) (increase(mesh_archive_dead_letters_total${OF}[1h]))`,
        },
      },
    ],
  },
}

import type { Metrics } from '@malha/mesh'
import type { Depth } from './relay/table.ts'

/** What the relay counts. */
export type OutboxMetrics = {
  published(stream: string, lagSeconds: number): void
  dead(stream: string, code: string): void
  retried(stream: string): void
  depth(depth: Depth): void
  owned(partitions: number): void
}

const LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 900, 3600, 14_400]

/** Names and labels are part of the interface: docs/reference/metrics.md. */
export function outboxMetrics(metrics: Metrics, outbox: string): OutboxMetrics {
  const labels = ['outbox', 'stream']
  const published = metrics.counter({ name: 'mesh_outbox_published_total', help: 'Rows published', labels })
  const retried = metrics.counter({
    name: 'mesh_outbox_retries_total',
    help: 'Publishes that have to be repeated',
    labels,
  })
  const dead = metrics.counter({
    name: 'mesh_outbox_dead_total',
    help: 'Rows refused for good and kept as dead',
    labels: [...labels, 'code'],
  })
  const lag = metrics.histogram({
    name: 'mesh_outbox_lag_seconds',
    help: 'From added to published',
    labels,
    buckets: LAG_BUCKETS,
  })
  const gauge = (name: string, help: string): ((value: number) => void) => {
    const made = metrics.gauge({ name, help, labels: ['outbox'] })
    return (value) => made.set({ outbox }, value)
  }
  const depth = gauge('mesh_outbox_depth', 'Rows that wait to be published')
  const oldest = gauge('mesh_outbox_oldest_seconds', 'Age of the oldest row that waits')
  const deadRows = gauge('mesh_outbox_dead_rows', 'Dead rows in the table')
  const owned = gauge('mesh_outbox_partitions_owned', 'Partitions this relay works on')
  return {
    published(stream, lagSeconds) {
      published.add({ outbox, stream })
      lag.observe({ outbox, stream }, lagSeconds)
    },
    dead: (stream, code) => dead.add({ outbox, stream, code }),
    retried: (stream) => retried.add({ outbox, stream }),
    depth(state) {
      depth(state.waiting)
      oldest(state.oldestMs / 1000)
      deadRows(state.dead)
    },
    owned,
  }
}

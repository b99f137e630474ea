import type { Dashboard } from './dashboard.ts'

const OF = '{instance=~"$instance"}'
const EACH = '{{instance}}'

export const node: Dashboard = {
  uid: 'malha-node',
  title: 'Node',
  description: 'Processes of the mesh: CPU, memory, event loop, garbage collection.',
  choices: [{ name: 'instance', label: 'Instance', values: 'label_values(mesh_build_info, instance)' }],
  rows: {
    Processes: [
      {
        title: 'What runs',
        description: 'Versions of services and of Node.',
        unit: 'short',
        queries: { '{{service}} {{version}} on {{node}}': `count by (service, version, node) (mesh_build_info${OF})` },
      },
      {
        title: 'Up for',
        description: 'A saw is a process that starts again and again.',
        unit: 's',
        queries: { [EACH]: `time() - process_start_time_seconds${OF}` },
      },
      {
        title: 'CPU',
        description: 'Cores.',
        unit: 'short',
        queries: { [EACH]: `rate(process_cpu_seconds_total${OF}[5m])` },
      },
      {
        title: 'Open files',
        description: 'Of those that it may open.',
        unit: 'percentunit',
        queries: { [EACH]: `process_open_fds${OF} / process_max_fds${OF}` },
      },
    ],
    Memory: [
      {
        title: 'Resident',
        description: 'What the system counts.',
        unit: 'bytes',
        queries: { [EACH]: `process_resident_memory_bytes${OF}` },
      },
      {
        title: 'Heap in use',
        description: 'JavaScript objects.',
        unit: 'bytes',
        queries: { [EACH]: `nodejs_heap_size_used_bytes${OF}` },
      },
      {
        title: 'External',
        description: 'Buffers.',
        unit: 'bytes',
        queries: { [EACH]: `nodejs_external_memory_bytes${OF}` },
      },
      {
        title: 'Garbage collection',
        description: 'Share of the time.',
        unit: 'percentunit',
        queries: { '{{instance}} {{kind}}': `sum by (instance, kind) (rate(nodejs_gc_duration_seconds_sum${OF}[5m]))` },
      },
    ],
    'Event loop': [
      {
        title: 'Lag, 99th percentile',
        description: 'Above half a second heartbeats and acks come late.',
        unit: 's',
        queries: { [EACH]: `nodejs_eventloop_lag_p99_seconds${OF}` },
      },
      {
        title: 'Lag, mean',
        description: 'How long a callback waits for its turn.',
        unit: 's',
        queries: { [EACH]: `nodejs_eventloop_lag_mean_seconds${OF}` },
      },
    ],
  },
}

import type { Dashboard } from './dashboard.ts'

const OF = 'service="$service", handler="$handler"'
const quantile = (share: number): string =>
  `histogram_quantile(${share}, sum by (le) (rate(messaging_process_duration_seconds_bucket{${OF}}[5m])))`
const sum = (metric: string): string => `sum(${metric}{${OF}})`
const JAEGER = {
  title: 'Traces in Jaeger',
  url: '${jaeger}/search?service=${service}&lookback=1h&limit=20&start=${__from}000&end=${__to}000',
}
const CONSOLE = { title: 'In the console', url: '${console}/handlers/${service}/${handler}' }

export const handler: Dashboard = {
  uid: 'malha-handler',
  title: 'handler',
  description: 'One handler: rate, duration with traces, attempts, lag, slots, and what holds it up.',
  choices: [
    { name: 'service', label: 'Service', values: 'label_values(mesh_concurrency, service)', one: true },
    {
      name: 'handler',
      label: 'Handler',
      values: 'label_values(mesh_concurrency{service="$service"}, handler)',
      one: true,
    },
  ],
  rows: {
    'At a glance': [
      {
        title: 'Breaker',
        description: '0 closed, 1 half open, 2 open.',
        unit: 'short',
        as: 'stat',
        queries: { breaker: `max(mesh_breaker_state{${OF}})` },
      },
      {
        title: 'Paused',
        description: '1 while somebody has paused it.',
        unit: 'short',
        as: 'stat',
        queries: { paused: `max(mesh_handler_paused{${OF}})` },
      },
      {
        title: 'Instances',
        description: 'Processes that run it.',
        unit: 'short',
        as: 'stat',
        queries: { instances: `count(mesh_concurrency{${OF}})` },
      },
      {
        title: 'Until events are lost',
        description: 'When the oldest one leaves its stream.',
        unit: 's',
        as: 'stat',
        queries: { left: `min(mesh_consumer_expires_in_seconds{${OF}})` },
      },
      {
        title: 'Keys held',
        description: 'By a retry, or by a dead letter.',
        unit: 'short',
        as: 'stat',
        queries: { held: `${sum('mesh_keys_held')} + ${sum('mesh_keys_behind_letters')} or vector(0)` },
      },
      {
        title: 'Leaked calls',
        description: 'Never returned; each holds a slot.',
        unit: 'short',
        as: 'stat',
        queries: { leaked: `${sum('mesh_leaked_slots')} or vector(0)` },
      },
    ],
    'Rate and duration': [
      {
        title: 'Deliveries by outcome',
        description: 'A second.',
        unit: 'ops',
        queries: { '{{outcome}}': `sum by (outcome) (malha:handler_deliveries:rate5m{${OF}})` },
        leadsTo: CONSOLE,
      },
      {
        title: 'Duration',
        description: 'Time in the handler, its outputs included. A dot is one call: it leads to its trace.',
        unit: 's',
        queries: { '50 %': quantile(0.5), '95 %': quantile(0.95), '99 %': quantile(0.99) },
        exemplars: true,
        leadsTo: JAEGER,
      },
      {
        title: 'Duration by outcome, 95th percentile',
        description: 'Whether failures are quick refusals or time-outs.',
        unit: 's',
        queries: {
          '{{outcome}}': `histogram_quantile(0.95, sum by (outcome, le) (rate(messaging_process_duration_seconds_bucket{${OF}}[5m])))`,
        },
        exemplars: true,
        leadsTo: JAEGER,
      },
      {
        title: 'Attempts until done',
        description: 'How many attempts messages needed.',
        unit: 'short',
        as: 'heatmap',
        queries: { '{{le}}': `sum by (le) (increase(mesh_attempts_per_message_bucket{${OF}}[5m]))` },
      },
    ],
    Lag: [
      {
        title: 'Events',
        description: 'Not yet delivered, and delivered and not settled.',
        unit: 'short',
        queries: {
          pending: `malha:handler_pending:max{${OF}}`,
          'in hand': `malha:handler_ack_pending:max{${OF}}`,
          parked: sum('mesh_keys_parked'),
        },
      },
      {
        title: 'Age',
        description: 'Of the oldest event, and at the start of a first attempt.',
        unit: 's',
        queries: {
          oldest: `malha:handler_oldest_seconds:max{${OF}}`,
          'at start, 95 %': `histogram_quantile(0.95, sum by (le) (rate(mesh_message_age_seconds_bucket{${OF}}[5m])))`,
        },
      },
      {
        title: 'Slots',
        description: 'Messages being handled now, and how many may be.',
        unit: 'short',
        queries: {
          taken: sum('mesh_inflight'),
          'there are': sum('mesh_concurrency'),
          'may start a second': sum('mesh_rate_limit_per_second'),
        },
      },
      {
        title: 'Instances and lag',
        description: 'Whether more instances help.',
        unit: 'short',
        queries: { instances: `count(mesh_concurrency{${OF}})`, pending: `malha:handler_pending:max{${OF}}` },
      },
    ],
    Trouble: [
      {
        title: 'Dead letters by reason',
        description: 'In five minutes.',
        unit: 'short',
        queries: { '{{code}}': `sum by (code) (increase(mesh_dead_letters_total{${OF}}[5m]))` },
        leadsTo: CONSOLE,
      },
      {
        title: 'Breaker of each instance',
        description: '0 closed, 1 half open, 2 open.',
        unit: 'short',
        queries: { '{{instance}}': `mesh_breaker_state{${OF}}` },
      },
      {
        title: 'Lost and repeated',
        description: 'Events that aged out, and messages that were found to be done before.',
        unit: 'short',
        queries: {
          'aged out': `sum(increase(mesh_expired_messages_total{${OF}}[5m]))`,
          'repeated by {{by}}': `sum by (by) (increase(mesh_repeated_messages_total{${OF}}[5m]))`,
        },
      },
      {
        title: 'Partitions',
        description: 'Of an ordered handler: those that each instance has, and those taken from one that was gone.',
        unit: 'short',
        queries: {
          '{{instance}}': `mesh_partitions_owned{${OF}}`,
          'taken over': `sum(increase(mesh_partition_takeovers_total{${OF}}[5m]))`,
        },
      },
    ],
  },
}

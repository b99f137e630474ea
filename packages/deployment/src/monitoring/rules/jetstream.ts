import { lines } from '../expressions.ts'
import type { Alert, RuleGroup } from '../rule.ts'
import type { Times } from '../time.ts'

const STREAM = 'account, stream_name'
const labels = { account: 'A', stream_name: 'CENTERS' }
const stream = (metric: string, more = 'is_stream_leader="true"'): string =>
  `jetstream_stream_${metric}{account="A", stream_name="CENTERS", server_id="n1", ${more}}`
const consumer = (metric: string): string =>
  `jetstream_consumer_${metric}{account="A", stream_name="CENTERS", consumer_name="provider_senninha", is_consumer_leader="true"}`
const server = (metric: string): string => `gnatsd_varz_${metric}{server_id="n1"}`
const WHERE = 'The server {{ $labels.server_id }}'

/** Of the brokers themselves, as prometheus-nats-exporter says it with its own prefixes. */
export function jetstreamRules(t: Times): RuleGroup {
  return { name: 'jetstream', recordings: [], alerts: [...streams(t), ...servers(t)] }
}

function streams(t: Times): Alert[] {
  const waiting = `max by (${STREAM}, consumer_name) (jetstream_consumer_num_waiting{is_consumer_leader="true"})`
  const pending = `max by (${STREAM}, consumer_name) (jetstream_consumer_num_pending{is_consumer_leader="true"})`
  const delivered = `max by (${STREAM}, consumer_name) (increase(jetstream_consumer_delivered_consumer_seq{is_consumer_leader="true"}[${t('5m')}]))`
  return [
    {
      alert: 'ConsumerUnattended',
      // A handler that has all it may in hand asks for nothing either; but it is given more as it goes.
      expr: `${waiting} == 0 and ${pending} > 0 unless ${delivered} > 0`,
      for: t('10m'),
      severity: 'ticket',
      summary: 'Nobody asks for the events of {{ $labels.consumer_name }} on {{ $labels.stream_name }}',
      description:
        'No instance of the handler runs; or it is paused, or waits for its partner, and then another alert says so.',
      proof: {
        series: {
          [consumer('num_waiting')]: '1x5 0x30 1x60',
          [consumer('num_pending')]: '5x100',
          [consumer('delivered_consumer_seq')]: '7x100',
        },
        fires: '20m',
        over: '60m',
        labels: { ...labels, consumer_name: 'provider_senninha' },
        silent: [
          { [consumer('num_waiting')]: '0x60', [consumer('num_pending')]: '0x60' },
          {
            [consumer('num_waiting')]: '0x60',
            [consumer('num_pending')]: '9x60',
            [consumer('delivered_consumer_seq')]: '0+30x60',
          },
        ],
      },
    },
    {
      alert: 'StreamNearLimit',
      expr: lines(
        `max by (${STREAM}) (jetstream_stream_total_bytes{is_stream_leader="true"})`,
        `  / (max by (${STREAM}) (jetstream_stream_limit_bytes{is_stream_leader="true"}) > 0) > 0.8`,
      ),
      severity: 'page',
      summary: 'The stream {{ $labels.stream_name }} is four fifths full',
      description: 'A full stream takes nothing more: publishers are refused, so that nothing unread is thrown away.',
      proof: {
        series: { [stream('total_bytes')]: '10x5 90x20 10x60', [stream('limit_bytes')]: '100x100' },
        fires: '15m',
        over: '40m',
        labels,
        silent: [{ [stream('total_bytes')]: '10x60', [stream('limit_bytes')]: '-1x60' }],
      },
    },
    {
      alert: 'StreamWithoutLeader',
      expr: lines(
        `count by (${STREAM}) (jetstream_stream_total_messages)`,
        `unless on (${STREAM}) jetstream_stream_total_messages{is_stream_leader="true"}`,
      ),
      for: t('2m'),
      severity: 'page',
      summary: 'The stream {{ $labels.stream_name }} has no leader',
      description: 'It takes nothing and gives nothing until most of its replicas see each other again.',
      proof: {
        series: {
          [stream('total_messages')]: '5x5 _x20 5x60',
          [stream('total_messages', 'is_stream_leader="false"')]: '_x5 5x20 _x60',
        },
        fires: '15m',
        over: '40m',
        labels,
      },
    },
  ]
}

function servers(t: Times): Alert[] {
  const id = { server_id: 'n1' }
  return [
    {
      alert: 'JetStreamStorageFull',
      expr: 'gnatsd_varz_jetstream_stats_storage / (gnatsd_varz_jetstream_config_max_storage > 0) > 0.8',
      severity: 'page',
      summary: `${WHERE} has four fifths of its JetStream storage in use`,
      description: 'When it is full, no stream on it takes anything. Give it more, or have streams keep less.',
      proof: {
        series: {
          [server('jetstream_stats_storage')]: '10x5 90x20 10x60',
          [server('jetstream_config_max_storage')]: '100x100',
        },
        fires: '15m',
        over: '40m',
        labels: id,
      },
    },
    {
      alert: 'JetStreamApiErrors',
      expr: `rate(gnatsd_varz_jetstream_stats_api_errors[${t('5m')}]) > 1`,
      for: t('5m'),
      severity: 'ticket',
      summary: `${WHERE} answers requests to JetStream with errors, more than one a second`,
      description: 'Somebody asks for what is not there or what he may not; his log says what.',
      proof: {
        series: { [server('jetstream_stats_api_errors')]: '0+120x30 3600x60' },
        fires: '20m',
        over: '60m',
        labels: id,
      },
    },
    {
      alert: 'SlowConsumers',
      expr: `increase(gnatsd_varz_slow_consumers[${t('10m')}]) > 0`,
      severity: 'ticket',
      summary: `${WHERE} has cut connections that did not read fast enough`,
      description: 'The process on the other end was busy or frozen, or the network is too slow for it.',
      proof: { series: { [server('slow_consumers')]: '0x5 2x60' }, fires: '8m', over: '40m', labels: id },
    },
    {
      alert: 'JetStreamMetricsAbsent',
      expr: 'absent(jetstream_server_total_streams)',
      for: t('10m'),
      severity: 'ticket',
      summary: 'Prometheus gets no metrics of the brokers',
      description:
        'The exporter is away, or has another prefix than these rules read. No alert on streams and brokers can fire.',
      proof: {
        series: { 'jetstream_server_total_streams{server_id="n1"}': '_x30 3x60' },
        fires: '20m',
        over: '60m',
        labels: {},
      },
    },
  ]
}

import type { Dashboard } from './dashboard.ts'

const STREAM = 'is_stream_leader="true", stream_name=~"$stream"'
const CONSUMER = 'is_consumer_leader="true", stream_name=~"$stream"'
const EACH = '{{stream_name}} {{consumer_name}}'

/** Followers say old values, so only leaders are shown. */
export const jetstream: Dashboard = {
  uid: 'malha-jetstream',
  title: 'JetStream',
  description: 'Streams, consumers and servers, as prometheus-nats-exporter says them.',
  choices: [{ name: 'stream', label: 'Stream', values: 'label_values(jetstream_stream_total_messages, stream_name)' }],
  rows: {
    Streams: [
      {
        title: 'Published',
        description: 'Events stored, a second.',
        unit: 'ops',
        queries: { '{{stream_name}}': `rate(jetstream_stream_last_seq{${STREAM}}[5m])` },
      },
      {
        title: 'Size',
        description: 'Bytes kept.',
        unit: 'bytes',
        queries: { '{{stream_name}}': `jetstream_stream_total_bytes{${STREAM}}` },
      },
      {
        title: 'Used of the limit',
        description: 'A full stream takes nothing more.',
        unit: 'percentunit',
        queries: {
          '{{stream_name}}': `jetstream_stream_total_bytes{${STREAM}} / (jetstream_stream_limit_bytes{${STREAM}} > 0)`,
        },
      },
      {
        title: 'Events kept',
        description: 'Messages in each stream.',
        unit: 'short',
        queries: { '{{stream_name}}': `jetstream_stream_total_messages{${STREAM}}` },
      },
      {
        title: 'Streams led by each server',
        description: 'Even where it is well; a stream without a leader takes nothing.',
        unit: 'short',
        queries: { '{{stream_leader}}': `count by (stream_leader) (jetstream_stream_total_messages{${STREAM}})` },
      },
      {
        title: 'Consumers of each stream',
        description: 'One or two for each handler.',
        unit: 'short',
        queries: { '{{stream_name}}': `jetstream_stream_consumer_count{${STREAM}}` },
      },
    ],
    Consumers: [
      {
        title: 'Pending',
        description: 'Not yet delivered.',
        unit: 'short',
        queries: { [EACH]: `jetstream_consumer_num_pending{${CONSUMER}}` },
      },
      {
        title: 'Delivered and not settled',
        description: 'In the hands of handlers, or waiting for a retry.',
        unit: 'short',
        queries: { [EACH]: `jetstream_consumer_num_ack_pending{${CONSUMER}}` },
      },
      {
        title: 'Redelivered now',
        description: 'Messages in hand that were delivered before.',
        unit: 'short',
        queries: { [EACH]: `jetstream_consumer_num_redelivered{${CONSUMER}}` },
      },
      {
        title: 'Waiting pulls',
        description: 'At 0 nobody asks for events.',
        unit: 'short',
        queries: { [EACH]: `jetstream_consumer_num_waiting{${CONSUMER}}` },
      },
    ],
    Servers: [
      {
        title: 'Storage used',
        description: 'When it is full, no stream on the server takes anything.',
        unit: 'percentunit',
        queries: {
          '{{server_id}}': 'gnatsd_varz_jetstream_stats_storage / (gnatsd_varz_jetstream_config_max_storage > 0)',
        },
      },
      {
        title: 'API errors',
        description: 'Requests to JetStream that were refused, a second.',
        unit: 'ops',
        queries: { '{{server_id}}': 'rate(gnatsd_varz_jetstream_stats_api_errors[5m])' },
      },
      {
        title: 'Slow consumers',
        description: 'Connections that were cut because they did not read fast enough.',
        unit: 'short',
        queries: { '{{server_id}}': 'increase(gnatsd_varz_slow_consumers[5m])' },
      },
      {
        title: 'Connections',
        description: 'Of clients.',
        unit: 'short',
        queries: { '{{server_id}}': 'gnatsd_varz_connections' },
      },
      {
        title: 'Memory',
        description: 'Of each server.',
        unit: 'bytes',
        queries: { '{{server_id}}': 'gnatsd_varz_mem' },
      },
      {
        title: 'CPU',
        description: 'Per cent of one core.',
        unit: 'percent',
        queries: { '{{server_id}}': 'gnatsd_varz_cpu' },
      },
    ],
  },
}

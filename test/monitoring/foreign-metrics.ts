/** prometheus-nats-exporter 0.20.1 with `-varz -jsz=all`, on nats-server 2.15.1. Seen live where a test is given the exporter. */
export const EXPORTER_METRICS: readonly string[] = [
  'gnatsd_varz_connections',
  'gnatsd_varz_cpu',
  'gnatsd_varz_jetstream_config_max_storage',
  'gnatsd_varz_jetstream_stats_api_errors',
  'gnatsd_varz_jetstream_stats_storage',
  'gnatsd_varz_mem',
  'gnatsd_varz_slow_consumers',
  'jetstream_consumer_delivered_consumer_seq',
  'jetstream_consumer_num_ack_pending',
  'jetstream_consumer_num_pending',
  'jetstream_consumer_num_redelivered',
  'jetstream_consumer_num_waiting',
  'jetstream_server_total_streams',
  'jetstream_stream_consumer_count',
  'jetstream_stream_last_seq',
  'jetstream_stream_limit_bytes',
  'jetstream_stream_total_bytes',
  'jetstream_stream_total_messages',
]

/** Of Prometheus itself. */
export const PROMETHEUS_METRICS: readonly string[] = ['ALERTS', 'up']

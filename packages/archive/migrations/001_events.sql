-- Every event of every stream, by the identity JetStream gave it. Read with FINAL or LIMIT 1 BY stream, epoch, seq.
-- payload is the original bytes, whatever they are; payload_b64 is only the door through which they come in.
-- epoch is the second in which the stream was created: a re-created stream starts again at sequence 1 and is another one.
-- statement
CREATE TABLE IF NOT EXISTS archive.events (
  stream LowCardinality(String), epoch UInt32, seq UInt64 CODEC(Delta, ZSTD(1)), subject LowCardinality(String),
  event_id String CODEC(ZSTD(1)), event_type LowCardinality(String), producer LowCardinality(String),
  correlation_id String CODEC(ZSTD(1)), causation_id String CODEC(ZSTD(1)), trace_id String CODEC(ZSTD(1)), span_id String CODEC(ZSTD(1)),
  occurred_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)), published_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
  archived_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
  headers Map(LowCardinality(String), Array(String)) CODEC(ZSTD(1)),
  payload_b64 String EPHEMERAL, payload String DEFAULT base64Decode(payload_b64) CODEC(ZSTD(1)), payload_bytes UInt32 MATERIALIZED length(payload),
  INDEX i_event event_id TYPE bloom_filter(0.001) GRANULARITY 1, INDEX i_corr correlation_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX i_cause causation_id TYPE bloom_filter(0.001) GRANULARITY 1, INDEX i_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX i_time published_at TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(published_at) ORDER BY (stream, epoch, seq)
TTL toDateTime(published_at) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1

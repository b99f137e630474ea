-- Sequences that hold no event but a done-marker of a handler (effects: 'once'), so that the audit can tell them from
-- events that are missing. They live longer than the events around them.
-- statement
CREATE TABLE IF NOT EXISTS archive.markers (
  stream LowCardinality(String), epoch UInt32, seq UInt64 CODEC(Delta, ZSTD(1)),
  recorded_at DateTime DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (stream, epoch, seq)
TTL recorded_at + INTERVAL 15 MONTH
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1

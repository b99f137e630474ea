-- Rows ClickHouse could not read, with its reason. row_json is the whole row as it was sent; the payload in it is base64.
-- statement
CREATE TABLE IF NOT EXISTS archive.dead_letters (
  stream LowCardinality(String), epoch UInt32, seq UInt64, code LowCardinality(String), reason String CODEC(ZSTD(1)),
  row_b64 String EPHEMERAL, row_json String DEFAULT base64Decode(row_b64) CODEC(ZSTD(1)),
  recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(recorded_at) ORDER BY (stream, epoch, seq)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1

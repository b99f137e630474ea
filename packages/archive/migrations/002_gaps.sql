-- Sequences that will never be in archive.events, and why: 'expired' left the stream before they could be archived
-- (they are lost), 'deleted' were removed inside the stream by someone's wish.
-- statement
CREATE TABLE IF NOT EXISTS archive.gaps (
  stream LowCardinality(String), epoch UInt32, first_seq UInt64, last_seq UInt64,
  reason LowCardinality(String), detected_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(detected_at) ORDER BY (stream, epoch, first_seq)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1

-- What a broker that lost its disk is rebuilt with, beside the events: its streams, and where its durables stood. Written every
-- ten seconds, and only when all that was done by then is archived: what had an ack has its outputs and letters in
-- archive.events.
-- config is the stream's own, as JSON.
-- statement
CREATE TABLE IF NOT EXISTS archive.streams (
  stream LowCardinality(String), epoch UInt32, config String CODEC(ZSTD(1)), last_seq UInt64,
  recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(recorded_at) ORDER BY (stream, epoch)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
-- floor: the durable had acks for all up to this sequence. waiting: of a durable on lanes, what was there, as
-- <stream without namespace>.<epoch>.<seq>@<stored, unix ns>. config is the durable's own, as JSON.
-- statement
CREATE TABLE IF NOT EXISTS archive.floors (
  stream LowCardinality(String), epoch UInt32, durable LowCardinality(String), floor UInt64,
  waiting Array(String) CODEC(ZSTD(1)), config String CODEC(ZSTD(1)), recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(recorded_at) ORDER BY (stream, epoch, durable)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
-- Records of ordered handlers, which have no durables: keys and values of the bucket MESH_PARTITIONS.
-- statement
CREATE TABLE IF NOT EXISTS archive.partitions (
  bucket LowCardinality(String), key String, value String CODEC(ZSTD(1)), recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(recorded_at) ORDER BY (bucket, key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1

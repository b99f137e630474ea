-- The outbox, format 1. {{schema}}, {{writers}} and {{channel}} are filled in by migrateOutbox (or outboxSql).

CREATE SCHEMA IF NOT EXISTS {{schema}};

-- One row: what the tables of this schema are.
CREATE TABLE {{schema}}.outbox_format (
  format integer NOT NULL,
  migrated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO {{schema}}.outbox_format (format) VALUES (1);

-- CACHE 1: the relay takes an id up to the sequence's last value as given out already.
CREATE SEQUENCE {{schema}}.outbox_id AS bigint CACHE 1;

CREATE TABLE {{schema}}.outbox (
  id bigint PRIMARY KEY,
  stream text NOT NULL,
  partition smallint NOT NULL CHECK (partition BETWEEN 0 AND 63),
  -- Rows of one stream and key go out in the order of their ids; without a key in any order.
  order_key text,
  -- What @malha/mesh calls a prepared event, without its payload.
  message json NOT NULL,
  payload bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Grows before each publish. A row of 1 or more may be in the stream: behind the sequence tried_after, if of that epoch.
  tries integer NOT NULL DEFAULT 0,
  tried_after bigint,
  tried_epoch bigint,
  next_at timestamptz,
  last_error text,
  published_at timestamptz,
  dead_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);

CREATE INDEX outbox_waiting ON {{schema}}.outbox (stream, partition, id)
  WHERE published_at IS NULL AND dead_at IS NULL;
CREATE INDEX outbox_published ON {{schema}}.outbox (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX outbox_dead ON {{schema}}.outbox (dead_at) WHERE dead_at IS NOT NULL;

-- Adds one event within the caller's transaction. The shared lock comes before the id: it tells the relay that rows with
-- lower ids than those it sees may still be committed. It never waits, and ends with the transaction.
CREATE FUNCTION {{schema}}.outbox_add(stream text, partition integer, order_key text, message json, payload bytea)
  RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  new_id bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared({{writers}}, partition);
  new_id := nextval('{{schema}}.outbox_id');
  INSERT INTO {{schema}}.outbox (id, stream, partition, order_key, message, payload)
    VALUES (new_id, stream, partition, order_key, message, payload);
  PERFORM pg_notify('{{channel}}', stream);
  RETURN new_id;
END
$$;

-- Puts dead rows (all, or those named) back at the end of the outbox, in their order; gives their number.
CREATE FUNCTION {{schema}}.outbox_retry_dead(ids bigint[] DEFAULT NULL)
  RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  dead {{schema}}.outbox;
  count integer := 0;
BEGIN
  FOR dead IN
    WITH gone AS (
      DELETE FROM {{schema}}.outbox o WHERE o.dead_at IS NOT NULL AND (ids IS NULL OR o.id = ANY (ids)) RETURNING o.*
    ) SELECT * FROM gone ORDER BY gone.id
  LOOP
    PERFORM pg_advisory_xact_lock_shared({{writers}}, dead.partition);
    INSERT INTO {{schema}}.outbox (id, stream, partition, order_key, message, payload, created_at, tries, tried_after, tried_epoch)
      VALUES (nextval('{{schema}}.outbox_id'), dead.stream, dead.partition, dead.order_key, dead.message, dead.payload,
        dead.created_at, dead.tries, dead.tried_after, dead.tried_epoch);
    PERFORM pg_notify('{{channel}}', dead.stream);
    count := count + 1;
  END LOOP;
  RETURN count;
END
$$;

import type { ClickHouseClient } from '@clickhouse/client'
import { epochOf } from '@malha/mesh'
import { jetstream, type JsMsg } from '@nats-io/jetstream'
import { connectClickHouse } from '../../clickhouse.ts'
import { ORDERS_STREAM } from '../../twins/connect.ts'
import { serveVariant } from '../../variant.ts'
import { type Drain, drainStream } from './drain.ts'

/** The archive’s. */
const BATCH_ROWS = 10_000
const BATCH_BYTES = 8 * 1024 ** 2

/** Reads the stream in order and inserts; the next batch is read while one is inserted. No lease, no cursor, no look at gaps. */
function insertAll({ nats, clickhouse, messages, onRows }: Parameters<Drain>[0]): ReturnType<Drain> {
  const client = connectClickHouse(clickhouse)
  const work = drain()
  return {
    async stop() {
      await work
      await client.close()
    },
  }

  async function drain(): Promise<void> {
    const js = jetstream(nats)
    const consumer = await js.consumers.get(ORDERS_STREAM)
    const jsm = await js.jetstreamManager()
    const epoch = epochOf(await jsm.streams.info(ORDERS_STREAM))
    const all = await consumer.consume({ max_messages: 2 * BATCH_ROWS })
    let rows: Row[] = []
    let bytes = 0
    let left = messages
    let inserting = Promise.resolve()
    for await (const msg of all) {
      rows.push(rowOf(msg, epoch))
      bytes += 300 + msg.data.length * 1.34
      left--
      if (rows.length < BATCH_ROWS && bytes < BATCH_BYTES && left > 0) continue
      await inserting
      inserting = insert(client, rows).then(onRows)
      rows = []
      bytes = 0
      if (left === 0) break
    }
    await inserting
  }
}

const COLUMNS = [
  'stream',
  'epoch',
  'seq',
  'subject',
  'event_id',
  'event_type',
  'producer',
  'correlation_id',
  'causation_id',
  'trace_id',
  'span_id',
  'occurred_at',
  'published_at',
  'headers',
  'payload_b64',
] satisfies [string, ...string[]]

type Row = readonly unknown[]

/** Of a message that the mesh wrote: its headers are as they should be. */
function rowOf(msg: JsMsg, epoch: number): Row {
  const headers = msg.headers!
  const [, traceId, spanId] = headers.get('traceparent').split('-')
  const storedAt = String(msg.timestampNanos)
  return [
    ORDERS_STREAM,
    epoch,
    msg.seq,
    msg.subject,
    headers.get('ce-id'),
    headers.get('ce-type'),
    headers.get('ce-source'),
    headers.get('ce-correlationid'),
    headers.get('ce-causationid'),
    traceId ?? '',
    spanId ?? '',
    headers.get('ce-time').slice(0, -1).replace('T', ' '),
    // Seconds and a fraction, as ClickHouse reads a DateTime64 too.
    `${storedAt.slice(0, 10)}.${storedAt.slice(10)}`,
    Object.fromEntries(headers.keys().map((name) => [name, headers.values(name)])),
    Buffer.from(msg.data.buffer, msg.data.byteOffset, msg.data.length).toString('base64'),
  ]
}

/** @returns how many rows are stored more */
async function insert(client: ClickHouseClient, rows: readonly Row[]): Promise<number> {
  await client.insert({ table: 'archive.events', columns: COLUMNS, values: rows, format: 'JSONCompactEachRow' })
  return rows.length
}

// Last: it waits for as long as the process lives.
await serveVariant(drainStream(insertAll))

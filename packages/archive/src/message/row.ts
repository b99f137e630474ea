import { decodeAttribute } from '@malha/mesh'
import { firstStoredAt } from './rebuilt.ts'
import type { StoredMessage } from './stored-message.ts'
import { dateTimeOfNs, dateTimeOfRfc3339 } from './times.ts'

/** The columns an insert names, in the order of a row. */
export const ROW_COLUMNS = [
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
] as const

/** One row of `archive.events` as JSONCompactEachRow takes it. */
export type Row = readonly [
  stream: string,
  epoch: number,
  seq: number,
  subject: string,
  eventId: string,
  eventType: string,
  producer: string,
  correlationId: string,
  causationId: string,
  traceId: string,
  spanId: string,
  occurredAt: string,
  publishedAt: string,
  headers: Readonly<Record<string, readonly string[]>>,
  payloadB64: string,
]

/** Which stream, and which life of it. */
export type StreamEpoch = { readonly stream: string; readonly epoch: number }

/**
 * The row of a message. Whatever headers lack or say wrongly becomes an empty column, never an error: a message of a
 * client that knows nothing of the mesh is an event of its stream all the same.
 */
export function toRow({ stream, epoch }: StreamEpoch, message: StoredMessage): Row {
  const cloud = cloudEventOf(message.headers)
  // One that was brought back is the event that was: it has its row, or gets the same one again.
  const firstStored = firstStoredAt(message.headers, { stream, epoch, seq: message.seq })
  const publishedAt = dateTimeOfNs(firstStored ?? message.storedAtNs)
  const { buffer, byteOffset, byteLength } = message.payload
  return [
    stream,
    epoch,
    message.seq,
    message.subject.toWellFormed(),
    cloud.id,
    cloud.type,
    cloud.source,
    cloud.correlationId,
    cloud.causationId,
    cloud.traceId,
    cloud.spanId,
    dateTimeOfRfc3339(cloud.time) ?? publishedAt.slice(0, -3),
    publishedAt,
    wellFormed(message.headers),
    Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
  ]
}

/** When JetStream stored it, as ClickHouse writes it, to the nanosecond. */
export const publishedAtOf = (row: Row): string => row[12]

/** The month a row is partitioned by, e.g. `2026-11`. */
export const monthOf = (row: Row): string => publishedAtOf(row).slice(0, 7)

/** Sequence of a row. */
export const seqOf = (row: Row): number => row[2]

type CloudEvent = {
  id: string
  type: string
  source: string
  time: string
  correlationId: string
  causationId: string
  traceId: string
  spanId: string
}

/** What the CloudEvents headers (binary mode) and `traceparent` say; '' for what is not there. */
export function cloudEventOf(headers: StoredMessage['headers']): CloudEvent {
  // Header names are compared without case, as HTTP does: clients in other languages canonicalise them.
  const lower = new Map(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values[0] ?? '']))
  const value = (name: string): string => decodeAttribute(lower.get(name) ?? '').toWellFormed()
  const trace = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(lower.get('traceparent') ?? '')
  return {
    id: value('ce-id'),
    type: value('ce-type'),
    source: value('ce-source'),
    time: value('ce-time'),
    correlationId: value('ce-correlationid'),
    causationId: value('ce-causationid'),
    traceId: trace?.[1] ?? '',
    spanId: trace?.[2] ?? '',
  }
}

function wellFormed(headers: StoredMessage['headers']): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [name.toWellFormed(), values.map((value) => value.toWellFormed())]),
  )
}

/** An event as the archive has it. */
export type ArchivedEvent = {
  readonly stream: string
  readonly epoch: number
  readonly seq: number
  readonly subject: string
  readonly id: string
  readonly type: string
  readonly producer: string
  readonly correlationId: string
  readonly causationId: string
  readonly traceId: string
  readonly spanId: string
  /** What the publisher said, or when JetStream stored it; ISO, microseconds. */
  readonly occurredAt: string
  /** When JetStream stored it; ISO, nanoseconds. */
  readonly publishedAt: string
  /** ISO, milliseconds. */
  readonly archivedAt: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** The payload as text; undefined when it is not UTF-8. */
  readonly payload: string | undefined
  /** The payload's bytes. */
  readonly payloadBase64: string
}

/** The columns `eventOf` reads, one row an event. */
export const EVENT_COLUMNS = `stream, epoch, seq, subject, event_id, event_type, producer, correlation_id, causation_id,
  trace_id, span_id, toString(occurred_at) AS occurred, toString(published_at) AS published, toString(archived_at) AS archived,
  headers, base64Encode(payload) AS payload_b64`

export type EventRow = Record<
  | 'stream'
  | 'seq'
  | 'subject'
  | 'event_id'
  | 'event_type'
  | 'producer'
  | 'correlation_id'
  | 'causation_id'
  | 'trace_id'
  | 'span_id'
  | 'occurred'
  | 'published'
  | 'archived'
  | 'payload_b64',
  string
> & { epoch: number; headers: Record<string, string[]> }

export function eventOf(row: EventRow): ArchivedEvent {
  return {
    stream: row.stream,
    epoch: row.epoch,
    seq: Number(row.seq),
    subject: row.subject,
    id: row.event_id,
    type: row.event_type,
    producer: row.producer,
    correlationId: row.correlation_id,
    causationId: row.causation_id,
    traceId: row.trace_id,
    spanId: row.span_id,
    occurredAt: iso(row.occurred),
    publishedAt: iso(row.published),
    archivedAt: iso(row.archived),
    headers: row.headers,
    payload: textOf(row.payload_b64),
    payloadBase64: row.payload_b64,
  }
}

const iso = (dateTime: string): string => `${dateTime.replace(' ', 'T')}Z`

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(base64: string): string | undefined {
  try {
    return utf8.decode(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
}

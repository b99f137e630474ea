import type { ArchivedEvent } from '@malha/archive'
import { decodeAttribute, type DirectMessage, epochOf, HEADER, type Mesh, nanosOf, receivedHeaders } from '@malha/mesh'
import type { WholeLetter } from '../letters/read-whole.ts'
import type { MeshStream } from '../streams/mesh-streams.ts'

/** An event, wherever it was found. */
export type FoundEvent = {
  /** As the server names it. */
  readonly stream: string
  readonly epoch: number
  readonly seq: number
  /** Without the namespace. */
  readonly subject: string
  /** When the stream stored it, RFC 3339. */
  readonly storedAt: string
  /** The same in unix ns. */
  readonly storedNs: string
  readonly id: string | undefined
  readonly type: string | undefined
  /** Who published it; undefined where it does not say. */
  readonly service: string | undefined
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly traceId: string | undefined
  readonly payloadBytes: number
  /** `archive`, `letter`: it may have left its stream. */
  readonly foundIn: 'stream' | 'archive' | 'letter'
}

type Said = Pick<FoundEvent, 'id' | 'type' | 'service' | 'key' | 'correlationId' | 'causationId' | 'traceId'>

/** What an event says of itself; undefined what it does not say. */
function saidBy(headers: Readonly<Record<string, string>>): Said {
  const text = (name: string): string | undefined => (headers[name] ? decodeAttribute(headers[name]) : undefined)
  return {
    id: text(HEADER.id),
    type: text(HEADER.type),
    service: text(HEADER.source)?.replace(/^\//, ''),
    key: text(HEADER.partitionKey),
    correlationId: text(HEADER.correlationId) ?? text(HEADER.id),
    causationId: text(HEADER.causationId),
    traceId: /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(headers[HEADER.traceparent] ?? '')?.[1],
  }
}

/** Of a message that a stream of events holds; undefined where it is no event but the marker of a handler. */
export function eventIn({ names }: Mesh, { name, info }: MeshStream, message: DirectMessage): FoundEvent | undefined {
  const subject = names.strip(message.subject)
  if (subject.startsWith('_done.')) return undefined
  return {
    stream: name,
    epoch: epochOf(info),
    seq: message.seq,
    subject,
    storedAt: message.timestamp,
    storedNs: nanosOf(message.timestamp),
    ...saidBy(message.headers.record()),
    payloadBytes: message.data.length,
    foundIn: 'stream',
  }
}

export function archivedEvent({ names }: Mesh, event: ArchivedEvent): FoundEvent {
  const { stream, epoch, seq, subject, publishedAt, headers } = event
  const pairs = Object.entries(headers).map(([name, values]): [string, string[]] => [name, [...values]])
  return {
    stream,
    epoch,
    seq,
    subject: names.strip(subject),
    storedAt: publishedAt,
    storedNs: nanosOf(publishedAt),
    ...saidBy(receivedHeaders(pairs)),
    payloadBytes: Buffer.from(event.payloadBase64, 'base64').length,
    foundIn: 'archive',
  }
}

/** The event that a letter is of; undefined where none ever stood in a stream. */
export function eventOfLetter({ names }: Mesh, letter: WholeLetter): FoundEvent | undefined {
  const { origin, kind, headers, payloadBytes } = letter
  const storedNs = /@(\d+)$/.exec(letter.subject)?.[1]
  if (kind !== 'message' || storedNs === undefined || origin.epoch === undefined) return undefined
  return {
    stream: origin.stream,
    epoch: origin.epoch,
    seq: Number(origin.seq),
    subject: names.strip(origin.subject),
    storedAt: origin.publishedAt ?? new Date(Number(BigInt(storedNs) / 1_000_000n)).toISOString(),
    storedNs,
    ...saidBy(receivedHeaders(headers.map(([name, value]): [string, string[]] => [name, [value]]))),
    payloadBytes,
    foundIn: 'letter',
  }
}

/** Names an event for good. */
export const placeOf = ({ stream, epoch, seq }: Pick<FoundEvent, 'stream' | 'epoch' | 'seq'>): string =>
  `${stream}/${epoch}/${seq}`

/** The tail of the names of what is about an event: its letters, its copies on lanes, its records. */
export const tailOf = (mesh: Mesh, { stream, epoch, seq, storedNs }: FoundEvent): string =>
  mesh.names.strip(mesh.names.deadLetter('_', { stream, epoch, seq, storedAt: storedNs })).slice('dlq._.'.length)

/** Each once; oldest first. */
export function onceEach(events: readonly FoundEvent[]): FoundEvent[] {
  const once = new Map<string, FoundEvent>()
  // What a stream says comes before what a letter or the archive remembers.
  const order = { archive: 0, letter: 1, stream: 2 }
  for (const event of events.toSorted((a, b) => order[a.foundIn] - order[b.foundIn])) once.set(placeOf(event), event)
  return [...once.values()].toSorted((a, b) => Number(BigInt(a.storedNs) - BigInt(b.storedNs)) || a.seq - b.seq)
}

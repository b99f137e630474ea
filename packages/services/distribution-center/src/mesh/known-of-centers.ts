import { centerOnboarded, centerRegistered, cityRegistered, providerCreated } from '@malha/contracts'
import { type ArchivedEvent, type ClickHouseOptions, type MissingRange, missingOf, readPast } from '@malha/archive'
import {
  attemptFailed,
  type AnyContract,
  decodePayload,
  epochOf,
  HEADER,
  type Mesh,
  publishFailed,
  readEnvelope,
  type ReceivedHeaders,
  receivedHeaders,
} from '@malha/mesh'
import { jetstream, JetStreamApiError, type JsMsg, type StreamInfo } from '@nats-io/jetstream'
import { applyToStatus, type StatusChange } from '../status/apply.ts'
import {
  attemptChange,
  cityChange,
  onboardedChange,
  providerChange,
  refusedChange,
  registeredChange,
  type Occurrence,
} from '../status/changes.ts'
import type { CenterStatus, Position } from '../status/status.ts'
import { eventTime } from './event-time.ts'

/** What the events say of every centre. All of it is in memory, about 2 kB a centre. */
export type Known = {
  readonly centers: Map<string, CenterStatus>
  /** In order of registration. */
  readonly registered: Set<string>
  /** By stream, without the namespace: how far it was read. */
  readonly read: Map<string, Position>
  /** Events that the streams have lost and the archive, where it was asked, has not. */
  readonly missing: (MissingRange & { readonly stream: string })[]
  events: number
  /** Events that do not fit their contract; each handler has a dead letter of them. */
  unreadable: number
}

export const nothingKnown = (): Known => ({
  centers: new Map(),
  registered: new Set(),
  read: new Map(),
  missing: [],
  events: 0,
  unreadable: 0,
})

/** How an event of each type changes a status. */
type Source = { contract: AnyContract; change: (data: never, at: Occurrence) => StatusChange | undefined }

const SOURCES: readonly Source[] = [
  { contract: centerRegistered, change: registeredChange },
  { contract: centerOnboarded, change: onboardedChange },
  { contract: providerCreated, change: providerChange },
  { contract: cityRegistered, change: cityChange },
  { contract: attemptFailed, change: attemptChange },
  { contract: publishFailed, change: refusedChange },
]

const STREAMS = [...new Set(SOURCES.map(({ contract }) => contract.stream.name))]

/**
 * Adds what the streams have now and `known` has not: from their first event, or from where they were read to before. What
 * a stream has forgotten comes from the archive, where one is given; the order makes no difference to a status.
 * @throws ArchiveError ARCHIVE_UNREACHABLE
 */
export async function learn(mesh: Mesh, known: Known, archive?: ClickHouseOptions): Promise<void> {
  for (const stream of STREAMS) {
    const isFirst = !known.read.has(stream)
    for await (const event of storedEvents(mesh, stream, known)) await take(known, event)
    if (!isFirst) continue
    // Asked afterwards: what was there then was there all the time, and has been read.
    const before = await beginningOf(mesh, stream)
    for await (const event of pastEvents(mesh, { stream, before, archive })) await take(known, event)
    const past = { stream: mesh.names.stream(stream), before }
    const missing = archive ? await missingOf(archive, past) : forgotten(before)
    known.missing.push(...missing.map((range) => ({ stream, ...range })))
  }
}

type Event = {
  readonly stream: string
  readonly epoch: number
  readonly seq: number
  /** Without the namespace. */
  readonly subject: string
  readonly storedAt: Date
  /** Undefined when a header's name is one that the client refuses to read. */
  readonly headers: ReceivedHeaders | undefined
  readonly payload: Uint8Array
}

/** Every event of a stream up to now that was not read yet. A stream that is not there has none. */
async function* storedEvents(mesh: Mesh, stream: string, known: Known): AsyncGenerator<Event> {
  const info = await infoOf(mesh, stream)
  if (info === undefined) return
  const { messages: count, last_seq: last } = info.state
  const epoch = epochOf(info)
  const position = known.read.get(stream)
  const from = position?.epoch === epoch ? position.seq + 1 : 1
  known.read.set(stream, { epoch, seq: Math.max(last, from - 1) })
  if (count === 0 || from > last) return
  const consumer = await jetstream(mesh.nats).consumers.get(mesh.names.stream(stream), { opt_start_seq: from })
  const messages = await consumer.consume()
  try {
    for await (const msg of messages) {
      const subject = mesh.names.strip(msg.subject)
      yield { stream, epoch, seq: msg.seq, subject, storedAt: msg.time, headers: headersOf(msg), payload: msg.data }
      if (msg.seq >= last || msg.info.pending === 0) break
    }
  } finally {
    await messages.close()
  }
}

/** What a stream has begins there. */
async function beginningOf(mesh: Mesh, stream: string): Promise<Position> {
  const info = await infoOf(mesh, stream)
  if (info === undefined) return { epoch: NEVER, seq: 1 }
  return { epoch: epochOf(info), seq: info.state.first_seq }
}

/** No stream was made so late: all its lives are past. */
const NEVER = 2 ** 32 - 1

async function infoOf(mesh: Mesh, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await (await jetstream(mesh.nats).streams.get(mesh.names.stream(stream))).info()
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === 10059) return undefined
    throw error
  }
}

type Forgotten = { stream: string; before: Position; archive: ClickHouseOptions | undefined }

async function* pastEvents(mesh: Mesh, { stream, before, archive }: Forgotten): AsyncGenerator<Event> {
  if (!archive) return
  for await (const event of readPast(archive, { stream: mesh.names.stream(stream), before })) {
    const { epoch, seq, publishedAt, payloadBase64 } = event
    const payload = Buffer.from(payloadBase64, 'base64')
    const subject = mesh.names.strip(event.subject)
    const headers = archivedHeaders(event)
    yield { stream, epoch, seq, subject, storedAt: new Date(publishedAt), headers, payload }
  }
}

function archivedHeaders({ headers }: ArchivedEvent): ReceivedHeaders {
  return receivedHeaders(Object.entries(headers).map(([name, values]): [string, string[]] => [name, [...values]]))
}

const forgotten = ({ epoch, seq }: Position): MissingRange[] => (seq <= 1 ? [] : [{ epoch, from: 1, to: seq - 1 }])

/** Events of other types are passed over. */
async function take(known: Known, event: Event): Promise<void> {
  known.events++
  const { subject, headers, stream, epoch, seq } = event
  const found = SOURCES.find(({ contract }) => subject.startsWith(`${contract.type}.`) || subject === contract.type)
  if (found === undefined) return
  const data = headers && (await decode(found.contract, headers, event.payload))
  if (headers === undefined || data === undefined) {
    known.unreadable++
    return
  }
  const at = eventTime(headers, event.storedAt)
  const change = found.change(data as never, { stream, epoch, seq, at, traceparent: headers[HEADER.traceparent] })
  if (change === undefined) return
  if (change.kind === 'registered' || change.kind === 'refused') known.registered.add(change.centerId)
  known.centers.set(change.centerId, applyToStatus(known.centers.get(change.centerId), change))
}

function headersOf(msg: JsMsg): ReceivedHeaders | undefined {
  try {
    return receivedHeaders(msg.headers)
  } catch {
    return undefined
  }
}

/** Undefined when the handlers could not read it either. */
async function decode(contract: AnyContract, headers: ReceivedHeaders, payload: Uint8Array): Promise<unknown> {
  try {
    return await decodePayload(contract, readEnvelope(headers), payload)
  } catch {
    return undefined
  }
}

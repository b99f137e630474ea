import { isDeepStrictEqual } from 'node:util'
import { centerOnboarded, centerRegistered, cityRegistered, providerCreated } from '@malha/contracts'
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
import { jetstream, JetStreamApiError, type JsMsg } from '@nats-io/jetstream'
import type { ReadModel } from '../service.ts'
import { applyToStatus, joinStatus, type StatusChange } from '../status/apply.ts'
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

export type RebuildOptions = ReadModel & {
  readonly mesh: Mesh
  /**
   * Drops what an entry holds and the streams do not: for a read model that is wrong. Without it nothing is ever lost,
   * such as attempts whose records the streams no longer keep. @default false
   */
  readonly replace?: boolean
}

export type RebuildReport = {
  readonly events: number
  /** Events that do not fit their contract; each handler has a dead letter of them. */
  readonly unreadable: number
  readonly centers: number
  /** Entries that were written; the others held everything already. */
  readonly written: number
}

type Snapshot = {
  readonly centers: Map<string, CenterStatus>
  /** How far each stream was read. */
  readonly read: Map<string, Position>
  /** In order of registration. */
  readonly registered: string[]
}

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

/**
 * Makes the read model again from the streams, from their first event to the last at the time of the call. Safe while the
 * service runs: entries are joined, and written by compare-and-set. Holds all centres of the streams in memory, about
 * 2 kB each.
 */
export async function rebuildStatus(options: RebuildOptions): Promise<RebuildReport> {
  const snapshot: Snapshot = { centers: new Map(), read: new Map(), registered: [] }
  let events = 0
  let unreadable = 0
  for (const stream of new Set(SOURCES.map(({ contract }) => contract.stream)))
    for await (const msg of storedMessages(options.mesh, stream.name, snapshot)) {
      events++
      if (!(await take(options.mesh, msg, snapshot))) unreadable++
    }
  await inChunks(snapshot.registered, (centerId) => options.registry.add(centerId))
  const written = await writeAll(options, snapshot)
  return { events, unreadable, centers: snapshot.centers.size, written }
}

type Stored = { readonly msg: JsMsg; readonly stream: string; readonly epoch: number }

/** Every event of a stream up to now. A stream that is not there yet has none. */
async function* storedMessages(mesh: Mesh, stream: string, snapshot: Snapshot): AsyncGenerator<Stored> {
  const js = jetstream(mesh.nats)
  const name = mesh.names.stream(stream)
  const found = await js.streams.get(name).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.code === 10059) return undefined
    throw error
  })
  const info = await found?.info()
  if (info === undefined || info.state.messages === 0) return
  const last = info.state.last_seq
  const epoch = epochOf(info)
  snapshot.read.set(stream, { epoch, seq: last })
  const consumer = await js.consumers.get(name)
  const messages = await consumer.consume()
  try {
    for await (const msg of messages) {
      yield { msg, stream, epoch }
      if (msg.seq >= last || msg.info.pending === 0) break
    }
  } finally {
    await messages.close()
  }
}

/** False when an event of ours does not fit its contract. Other events of the streams are passed over. */
async function take(mesh: Mesh, { msg, stream, epoch }: Stored, snapshot: Snapshot): Promise<boolean> {
  const subject = mesh.names.strip(msg.subject)
  const found = SOURCES.find(({ contract }) => subject.startsWith(`${contract.type}.`) || subject === contract.type)
  if (found === undefined) return true
  const headers = headersOf(msg)
  if (headers === undefined) return false
  const at = eventTime(headers, msg.time)
  const data = await decode(found.contract, headers, msg.data)
  if (data === undefined) return false
  const change = found.change(data as never, {
    stream,
    epoch,
    seq: msg.seq,
    at,
    traceparent: headers[HEADER.traceparent],
  })
  if (change === undefined) return true
  if (change.kind === 'registered' || change.kind === 'refused') snapshot.registered.push(change.centerId)
  snapshot.centers.set(change.centerId, applyToStatus(snapshot.centers.get(change.centerId), change))
  return true
}

/** Undefined when a header's name is one that the client refuses to read. */
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

async function writeAll(options: RebuildOptions, snapshot: Snapshot): Promise<number> {
  let written = 0
  await inChunks([...snapshot.centers], async ([centerId, rebuilt]) => {
    let before: CenterStatus | undefined
    const after = await options.statuses.update(centerId, (current) => {
      before = current
      if (current === undefined) return rebuilt
      const next = options.replace && !isAhead(current, snapshot) ? rebuilt : joinStatus(current, rebuilt)
      return isDeepStrictEqual(next, current) ? current : next
    })
    if (after !== before) written++
  })
  return written
}

const CHUNK = 64

/** A few at once: what costs is the way to the broker and back. */
async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += CHUNK) await Promise.all(items.slice(from, from + CHUNK).map(work))
}

/** Whether the service has put something into the entry that came after the streams were read. */
function isAhead(status: CenterStatus, { read }: Snapshot): boolean {
  return Object.entries(status.applied).some(([stream, { epoch, seq }]) => {
    const until = read.get(stream)
    return until === undefined || epoch > until.epoch || (epoch === until.epoch && seq > until.seq)
  })
}

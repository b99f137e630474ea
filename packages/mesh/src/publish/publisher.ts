import type { NatsConnection } from '@nats-io/transport-node'
import type { Delay } from '../delay/delay.ts'
import type { Delays } from '../delay/delays.ts'
import { MeshError } from '../errors.ts'
import { type Envelope, envelopeHeaders, envelopeLines } from '../message/envelope.ts'
import { HEADER, HeaderBlock, headerLines, type HeaderPairs, MOST_HEADER_BYTES } from '../message/headers.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import { publishSpan, type PublishSpan } from '../observe/spans.ts'
import type { BatchLanes } from './batch-lanes.ts'
import type { GroupCommit } from './group-commit.ts'
import { type Expectation, expectationError, expectationHeaders } from './expectation.ts'
import { ERR_CODE, PublishRefused } from './pub-ack.ts'
import type { PublishPipeline, PublishRequest } from './pipeline.ts'
import type { Sent } from './sent.ts'
import { getStored, idOf, type StoredMessage } from '../read/stored-message.ts'

/** Where an event ended up. */
export type Published = {
  /** Its `ce-id`. */
  id: string
  /** Name of the stream on the server. */
  stream: string
  seq: number
  /** It was stored before, by an earlier publish of the same id and payload. */
  duplicate: boolean
  /** Of one that comes later: until then it waits in `stream`, the stream of delays, and moves to its own when it is due. */
  waitsUntil?: Date
  /** Never true here; see {@link Queued}. */
  queued?: false
}

/** An event that is on this process's disk, because the broker is away; it is stored when that is back. Only with a `spool`. */
export type Queued = {
  /** Its `ce-id`. */
  id: string
  /** Name of the stream on the server. */
  stream: string
  queued: true
  /** It has none yet. */
  seq?: undefined
  waitsUntil?: undefined
  duplicate: false
}

export type Outgoing = {
  envelope: Envelope
  /** With the namespace. */
  subject: string
  /** Name of the stream on the server. */
  stream: string
  payload: Uint8Array
  once: boolean
  /** With the namespace. */
  expect?: Expectation | undefined
  timeoutMs: number
  /** As for {@link PublishRequest.hasty}. */
  hasty?: boolean
  /** The user's own headers, checked. */
  headers: HeaderPairs
  /** Used where no tracing SDK injects one. */
  traceparent?: string | undefined
  /** It comes later. */
  delay?: Delay | undefined
}

/** An id that names something else already. */
export class IdConflict extends MeshError {
  /** Only the payload differs: the same event, told otherwise. */
  readonly isRetold: boolean

  constructor(out: Outgoing, stored: StoredMessage) {
    super(
      'MESH_ID_CONFLICT',
      `id ${out.envelope.id} is taken by another event (${stored.subject}, sequence ${stored.seq}); an id names one type, key and payload`,
    )
    this.isRetold = isSameEvent(stored, out)
  }
}

export type PublisherDeps = {
  nc: NatsConnection
  pipeline: PublishPipeline
  /** Of what handlers publish with `effects: 'once'`. */
  commits: GroupCommit
  /** Of `publishAll`. */
  batches: BatchLanes
  metrics: MeshMetrics
  /** Counts what was published, for whoever did. */
  sent: Sent
  delays: Delays
}

/**
 * Stores one event. `duplicate` is success only for the same type, key and payload.
 * @throws MeshError MESH_ID_CONFLICT | MESH_ONCE_CONFLICT | MESH_PAYLOAD_TOO_LARGE and those of the pipeline
 */
export async function publishEvent(deps: PublisherDeps, out: Outgoing): Promise<Published> {
  if (out.delay) return await putOff(deps, out, out.delay)
  const span = publishSpan(out.envelope, out.subject, out.payload.length)
  const run: Run = { deps, out, span, started: performance.now() }
  // One async function and one await, for all that goes well: each further one shows where events go by the thousand.
  try {
    const { stream, seq, duplicate } = await deps.pipeline.publish(requestOf(run))
    if (duplicate) await checkDuplicate(deps, out, { stream, seq })
    return succeeded(run, { id: out.envelope.id, stream, seq, duplicate })
  } catch (error) {
    return await storedBefore(deps, out, error).then(
      (published) => succeeded(run, published),
      (reason: unknown) => failed(run, reason),
    )
  }
}

async function putOff({ delays, sent }: PublisherDeps, out: Outgoing, delay: Delay): Promise<Published> {
  const published = await delays.store(out, delay)
  sent.putOff(out.envelope.type)
  return published
}

/** A publish under way. */
type Run = { deps: PublisherDeps; out: Outgoing; span: PublishSpan; started: number }

function succeeded({ deps, out, span, started }: Run, published: Published): Published {
  span.end(published)
  deps.sent.stored(out.envelope.type, performance.now() - started)
  return published
}

function failed({ deps, out, span, started }: Run, error: unknown): never {
  span.fail(error)
  deps.sent.failed(out.envelope.type, performance.now() - started, error)
  throw error
}

/**
 * Goes before all others of an event that has a trace: the server looks for its own message tracing's header and for
 * `traceparent`, and where that is sampled copies every header of the message before it asks whether anybody wants to know.
 * At this one it stops looking (nats-server 2.11 or later, msgtrace.go; ADR 22).
 */
const UNTRACED: HeaderPairs = [[HEADER.traceDest, 'trace disabled']]
const UNTRACED_LINES = headerLines(UNTRACED)

/** What an event says of itself on the wire, without the id of its store operation. */
export function eventHeaders(out: Outgoing, traceHeaders: HeaderPairs): HeaderPairs {
  const first = traceHeaders.length > 0 ? UNTRACED : []
  return [...first, ...envelopeHeaders(out.envelope), ...traceHeaders, ...out.headers, ...guards(out)]
}

/** The same as the lines of a header block, with that id. */
function eventLines(out: Outgoing, traceHeaders: HeaderPairs): string {
  let lines = traceHeaders.length > 0 ? UNTRACED_LINES : ''
  lines += envelopeLines(out.envelope) + headerLines(traceHeaders) + headerLines(out.headers)
  if (out.once || out.expect) lines += headerLines(guards(out))
  return `${lines}${HEADER.msgId}: ${out.envelope.id}\r\n`
}

function guards({ once, expect }: Outgoing): HeaderPairs {
  return once ? [[HEADER.expectedLastSubjectSequence, '0']] : expectationHeaders(expect)
}

function requestOf({ deps, out, span }: Run): PublishRequest {
  const headers = new HeaderBlock(eventLines(out, span.headers(out.traceparent)))
  checkSize(deps.nc, out, headers.length)
  const { subject, payload, timeoutMs, hasty = false } = out
  return { subject, payload, headers, timeoutMs, hasty }
}

/**
 * Where it is stored, though the server refused it now.
 * @throws MeshError MESH_ONCE_CONFLICT | MESH_EXPECTATION_FAILED | MESH_ID_CONFLICT, and `error` if that says nothing of it
 */
async function storedBefore(deps: PublisherDeps, out: Outgoing, error: unknown): Promise<Published> {
  if (!(error instanceof PublishRefused) || error.errCode !== ERR_CODE.wrongLastSequence) throw error
  if (out.once) return await alreadyThere(deps, out)
  if (out.expect) return publishedBefore(out, await firstBehind(deps, out, out.expect))
  throw error
}

/**
 * Reads what a stream holds, to know whether an event is stored already.
 * @throws MeshError MESH_PUBLISH_TIMEOUT when nobody answers, MESH_PUBLISH_REFUSED when this user may not ask
 */
export async function readBack(
  { nc }: PublisherDeps,
  stream: string,
  query: Parameters<typeof getStored>[2],
): Promise<StoredMessage | undefined> {
  try {
    return await getStored(nc, stream, query)
  } catch (cause) {
    const isDenied = cause instanceof Error && /permissions violation/i.test(cause.message)
    const why = isDenied
      ? `this user may not publish on $JS.API.STREAM.MSG.GET.${stream}; allow it`
      : 'the server did not answer'
    const what = `whether the event is in ${stream} already cannot be told`
    throw new MeshError(isDenied ? 'MESH_PUBLISH_REFUSED' : 'MESH_PUBLISH_TIMEOUT', `${what}: ${why}`, { cause })
  }
}

/** The server knows this id: it must be the same event. One that is gone from the stream cannot be compared. */
async function checkDuplicate(deps: PublisherDeps, out: Outgoing, ack: { stream: string; seq: number }): Promise<void> {
  const stored = await readBack(deps, ack.stream, { seq: ack.seq })
  if (stored && !isSame(stored, out)) throw new IdConflict(out, stored)
}

/** `once`, and the keyed subject has an event already. R1 says so even for a repeat of the same id; R3 says duplicate. */
async function alreadyThere(deps: PublisherDeps, out: Outgoing): Promise<Published> {
  const stored = await readBack(deps, out.stream, { seq: 1, next_by_subj: out.subject })
  if (!stored)
    throw new MeshError('MESH_PUBLISH_TIMEOUT', `${out.subject}: the event that was there is gone; publish again`)
  const existing = idOf(stored)
  if (existing !== out.envelope.id)
    throw new MeshError(
      'MESH_ONCE_CONFLICT',
      `${out.envelope.type} of key ${JSON.stringify(out.envelope.key)} was published before, as ${existing} (sequence ${stored.seq}); nothing was stored`,
    )
  if (!isSame(stored, out)) throw new IdConflict(out, stored)
  return { id: out.envelope.id, stream: out.stream, seq: stored.seq, duplicate: true }
}

/**
 * The expectation does not hold: what came behind may be this very event, by a send whose answer was lost.
 * @throws MeshError MESH_EXPECTATION_FAILED | MESH_ID_CONFLICT
 */
export async function firstBehind(deps: PublisherDeps, out: Outgoing, expect: Expectation): Promise<StoredMessage> {
  const { lastSeq, subjects } = expect
  const stored = await readBack(deps, out.stream, { seq: lastSeq + 1, next_by_subj: subjects })
  if (!stored || idOf(stored) !== out.envelope.id) throw expectationError(expect, stored?.seq)
  if (!isSame(stored, out)) throw new IdConflict(out, stored)
  return stored
}

const publishedBefore = ({ envelope, stream }: Outgoing, { seq }: StoredMessage): Published => ({
  id: envelope.id,
  stream,
  seq,
  duplicate: true,
})

/** Whether what is stored is this very event: id, type, key and payload. */
export function isSame(stored: StoredMessage, out: Outgoing): boolean {
  return isSameEvent(stored, out) && stored.payload.equals(out.payload)
}

function isSameEvent(stored: StoredMessage, out: Outgoing): boolean {
  const { id, type } = out.envelope
  return idOf(stored) === id && stored.subject === out.subject && stored.headers[HEADER.type] === type
}

/**
 * What an event leaves of `max_payload`, and of what headers may take, so that a copy on a lane and a dead letter, which say
 * more, fit as well.
 */
const HEADROOM_BYTES = 16_384

/** @throws MeshError MESH_PAYLOAD_TOO_LARGE */
export function checkSize(nc: NatsConnection, out: Outgoing, headersLength: number): void {
  const { type } = out.envelope
  const mostHeaders = MOST_HEADER_BYTES - HEADROOM_BYTES
  if (headersLength > mostHeaders)
    throw new MeshError(
      'MESH_PAYLOAD_TOO_LARGE',
      `${type} has ${headersLength} bytes of headers, ${mostHeaders} is the most; put into the payload what is not about the message`,
    )
  const limit = (nc.info?.max_payload ?? Infinity) - HEADROOM_BYTES
  const size = out.payload.length + headersLength
  if (size > limit)
    throw new MeshError(
      'MESH_PAYLOAD_TOO_LARGE',
      `${type} has ${size} bytes with its headers, ${limit} is the most here; store the bulk elsewhere and publish a reference`,
    )
}

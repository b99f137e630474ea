import { faultsError } from '../errors.ts'
import type { AnyContract, Contract } from '../message/contract.ts'
import { newEnvelope } from '../message/envelope.ts'
import { HEADER, headerBytes, userHeaders } from '../message/headers.ts'
import { checkId, newId } from '../message/id.ts'
import { subjectOf } from '../message/key.ts'
import type { Priority } from '../message/priority.ts'
import { publishSpan, type PublishSpan } from '../observe/spans.ts'
import type { Names } from '../topology/names.ts'
import { type BatchMember, MAX_BATCH } from './atomic-batch.ts'
import { batchThatIsThere } from './batch-read-back.ts'
import { checkPublish, publishMs } from './check-publish.ts'
import { encodeEvent } from './encode.ts'
import { type Expectation, expectationOf } from './expectation.ts'
import {
  checkSize,
  eventHeaders,
  type Outgoing,
  type Published,
  publishEvent,
  type PublisherDeps,
} from './publisher.ts'

export type PublicationOptions = {
  /** The message's identity. @default a new one */
  id?: string
  /** At most one event of this type and key for as long as the stream holds it, or nothing of the batch is stored. @default false */
  once?: boolean
  /** Of a command that has priorities. @default 'normal' */
  priority?: Priority
  /** What it belongs to. @default its own id */
  correlationId?: string
  /** The id of what caused it. */
  causationId?: string
  /** The user's own headers; `Nats-*`, `ce-*` and `malha-*` are refused. */
  headers?: Readonly<Record<string, string>>
}

/** One event of `mesh.publishAll`. */
export type Publication = {
  readonly contract: AnyContract
  readonly data: unknown
  readonly options: PublicationOptions
}

/** One event of `mesh.publishAll`, with the payload its contract asks for. */
export function publication<In, Out>(
  contract: Contract<In, Out>,
  data: In,
  options: PublicationOptions = {},
): Publication {
  return { contract, data, options }
}

export type PublishAllOptions = {
  /** Stored only if this holds before the first of them, or MESH_EXPECTATION_FAILED. @default nothing is expected */
  expect?: Expectation
  /** How long to try, ms; an election of a new leader takes up to 9 s. @default 30 000 */
  timeoutMs?: number
}

export type PublishAllDeps = {
  publisher: PublisherDeps
  names: Names
  /** The name of the connection. */
  from: string
}

/**
 * Stores all of them in one stream, next to each other and in this order, or none.
 * @throws MeshError MESH_INVALID_BATCH with every fault, and those of `publish`
 */
export async function publishAll(
  deps: PublishAllDeps,
  publications: readonly Publication[],
  { timeoutMs, expect }: PublishAllOptions,
): Promise<Published[]> {
  const outs = await Promise.all(publications.map((one) => outgoing(deps, one, timeoutMs)))
  const faults = batchFaults(outs)
  if (faults.length > 0) throw faultsError('MESH_INVALID_BATCH', 'nothing was stored', faults)
  const [first] = outs
  if (first && expect) first.expect = expectationOf(deps.names, expect, first)
  if (first === undefined) return []
  if (outs.length === 1) return [await publishEvent(deps.publisher, first)]
  return await observed(deps.publisher, outs, async (spans) => {
    const members = outs.map((out, index) => memberOf(deps.publisher, out, spans[index]!))
    return await store(deps.publisher, outs, members)
  })
}

async function outgoing(
  { names, from }: PublishAllDeps,
  { contract, data, options }: Publication,
  timeoutMs: number | undefined,
): Promise<Outgoing> {
  const { payload, key } = await encodeEvent(contract, data)
  const { id, once = false, priority, correlationId, causationId, headers = {} } = options
  checkPublish(contract, options)
  return {
    envelope: newEnvelope(contract, {
      id: id === undefined ? newId() : checkId(id),
      from,
      key,
      correlationId,
      causationId,
    }),
    subject: names.subject(subjectOf(contract, key, priority)),
    stream: names.stream(contract.stream),
    payload,
    once,
    timeoutMs: publishMs(contract.type, timeoutMs),
    headers: userHeaders(headers),
  }
}

function batchFaults(outs: readonly Outgoing[]): string[] {
  const faults: string[] = []
  if (outs.length > MAX_BATCH)
    faults.push(`it has ${outs.length} events; the server takes ${MAX_BATCH} together, so publish in several steps`)
  const streams = new Set(outs.map(({ stream }) => stream))
  if (streams.size > 1)
    faults.push(
      `its events belong to ${streams.size} streams (${[...streams].join(', ')}); only one stream can store them together`,
    )
  const ids = new Set<string>()
  const subjects = new Set<string>()
  for (const { envelope, once, subject } of outs) {
    if (ids.has(envelope.id)) faults.push(`id ${envelope.id} comes twice; an id names one event`)
    if (once && subjects.has(subject))
      faults.push(
        `${envelope.type} of key ${JSON.stringify(envelope.key)} is to be published once, and another one of it comes before`,
      )
    ids.add(envelope.id)
    subjects.add(subject)
  }
  return faults.slice(0, 20)
}

function memberOf({ nc }: PublisherDeps, out: Outgoing, span: PublishSpan): BatchMember {
  const headers = [...eventHeaders(out, span.headers(out.traceparent)), [HEADER.msgId, out.envelope.id] as const]
  checkSize(nc, out, headerBytes(headers))
  return { subject: out.subject, payload: out.payload, headers }
}

async function store(
  deps: PublisherDeps,
  outs: readonly Outgoing[],
  members: readonly BatchMember[],
): Promise<Published[]> {
  const { timeoutMs, stream } = outs[0]!
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const ack = await deps.batches.publish(stream, { ...members.at(-1)!, before: members.slice(0, -1), timeoutMs })
    return outs.map(({ envelope }, index) => ({
      id: envelope.id,
      stream: ack.stream,
      seq: ack.seq - (outs.length - 1 - index),
      duplicate: false,
    }))
  } catch (error) {
    const firstSeq = await batchThatIsThere(deps, outs, { refusal: error, signal })
    return outs.map(({ envelope, stream }, index) => ({
      id: envelope.id,
      stream,
      seq: firstSeq + index,
      duplicate: true,
    }))
  }
}

/** A span and a count for each event of a batch. */
export async function observed(
  { sent }: PublisherDeps,
  outs: readonly Outgoing[],
  run: (spans: readonly PublishSpan[]) => Promise<Published[]>,
): Promise<Published[]> {
  const spans = outs.map(({ envelope, subject, payload }) => publishSpan(envelope, subject, payload.length))
  const started = performance.now()
  try {
    const published = await run(spans)
    for (const [index, span] of spans.entries()) span.end(published[index]!)
    for (const { envelope } of outs) sent.stored(envelope.type, performance.now() - started)
    return published
  } catch (error) {
    for (const span of spans) span.fail(error)
    for (const { envelope } of outs) sent.failed(envelope.type, performance.now() - started, error)
    throw error
  }
}

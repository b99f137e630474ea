import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { MeshError } from '../errors.ts'
import type { Contract } from '../message/contract.ts'
import { type Envelope, newEnvelope } from '../message/envelope.ts'
import { HEADER, type HeaderPairs, userHeaders } from '../message/headers.ts'
import { checkId, newId } from '../message/id.ts'
import { subjectOf } from '../message/key.ts'
import { traceHeaders } from '../observe/spans.ts'
import type { Names } from '../topology/names.ts'
import { encodeEvent } from './encode.ts'
import type { Outgoing } from './publisher.ts'

/**
 * An event that is checked and encoded, with all that is said of it fixed: to be kept somewhere and published later, by
 * this process or another. Plain data; all but `payload` survives JSON. Format version 1.
 */
export type PreparedEvent = {
  readonly v: 1
  readonly envelope: Envelope
  /** Name of the stream, without the namespace. */
  readonly stream: string
  /** Without the namespace. */
  readonly subject: string
  /** At most one event of this type and key for as long as the stream holds it. */
  readonly once: boolean
  /** The user's own headers, and the trace context of the moment. */
  readonly headers: HeaderPairs
  readonly trace: HeaderPairs
  readonly payload: Uint8Array
}

export type PrepareOptions = {
  /** Who says it: the name in `ce-source`. */
  from: string
  /** As for `mesh.publish`. @default a new one */
  id?: string
  /** As for `mesh.publish`. @default false */
  once?: boolean
  /** What it belongs to. @default its own id */
  correlationId?: string
  /** The id of what caused it. */
  causationId?: string
  /** The user's own headers; `Nats-*`, `ce-*` and `malha-*` are refused. */
  headers?: Readonly<Record<string, string>>
}

/**
 * Checks data against its contract now and fixes id, time, key, correlation and trace context, without a connection.
 * `mesh.publishPrepared` sends it.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_INVALID_HEADER | MESH_INVALID_CONTRACT (`once` without a key)
 */
export async function prepareEvent<In, Out>(
  contract: Contract<In, Out>,
  data: In,
  options: PrepareOptions,
): Promise<PreparedEvent> {
  const id = options.id === undefined ? newId() : checkId(options.id)
  const headers = userHeaders(options.headers ?? {})
  const { payload, key } = await encodeEvent(contract, data)
  if (options.once === true && key === undefined)
    throw new MeshError(
      'MESH_INVALID_CONTRACT',
      `${contract.type} has no key, so it cannot be published once; give its contract a key`,
    )
  const { from, correlationId, causationId } = options
  return {
    v: 1,
    envelope: newEnvelope(contract, { id, from, key, correlationId, causationId }),
    stream: contract.stream.name,
    subject: subjectOf(contract, key),
    once: options.once === true,
    headers,
    trace: traceHeaders(context.active()),
    payload,
  }
}

/** Runs `publish` with the event as it goes out, inside the trace it was prepared in. */
export function withPrepared<T>(
  event: PreparedEvent,
  { names, timeoutMs }: { names: Names; timeoutMs: number },
  publish: (out: Outgoing) => Promise<T>,
): Promise<T> {
  const trace = Object.fromEntries(event.trace)
  const out: Outgoing = {
    envelope: event.envelope,
    subject: names.subject(event.subject),
    stream: names.stream(event.stream),
    payload: event.payload,
    once: event.once,
    timeoutMs,
    headers: event.headers,
    traceparent: trace[HEADER.traceparent],
  }
  return context.with(propagation.extract(ROOT_CONTEXT, trace), () => publish(out))
}

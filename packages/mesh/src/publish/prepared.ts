import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Contract } from '../message/contract.ts'
import type { Envelope } from '../message/envelope.ts'
import { HEADER, type HeaderPairs } from '../message/headers.ts'
import { traceHeaders } from '../observe/spans.ts'
import { type Names, names } from '../topology/names.ts'
import { outgoing, type PublishOptions } from './outgoing.ts'
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

/** What `mesh.publish` takes, but for what belongs to the moment of sending; and who says it: the name in `ce-source`. */
export type PrepareOptions = Pick<
  PublishOptions,
  'id' | 'once' | 'priority' | 'correlationId' | 'causationId' | 'headers'
> & { from: string }

const PLAIN = names('')

/**
 * Checks data against its contract now and fixes id, time, key, correlation and trace context, without a connection.
 * `mesh.publishPrepared` sends it.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_INVALID_HEADER | MESH_INVALID_CONTRACT (`once` without a key)
 */
export async function prepareEvent<In, Out>(
  contract: Contract<In, Out>,
  data: In,
  given: PrepareOptions,
): Promise<PreparedEvent> {
  const { from, ...options } = given ?? {}
  const trace = traceHeaders(context.active())
  const out = await outgoing({ names: PLAIN, from }, { contract, data, options })
  const { envelope, stream, subject, once, headers } = out
  // Memory of its own: it is kept, and what a codec gives may be a part of a pool, which would be kept or copied with it.
  const payload = new Uint8Array(out.payload)
  return { v: 1, envelope, stream, subject, once, headers, trace, payload }
}

/** Runs `publish` with the event as it goes out, inside the trace it was prepared in. */
export function withPrepared<T>(
  event: PreparedEvent,
  { names: own, timeoutMs }: { names: Names; timeoutMs: number },
  publish: (out: Outgoing) => Promise<T>,
): Promise<T> {
  const trace = Object.fromEntries(event.trace)
  const out: Outgoing = {
    envelope: event.envelope,
    subject: own.subject(event.subject),
    stream: own.stream(event.stream),
    payload: event.payload,
    once: event.once,
    timeoutMs,
    headers: event.headers,
    traceparent: trace[HEADER.traceparent],
  }
  return context.with(propagation.extract(ROOT_CONTEXT, trace), () => publish(out))
}

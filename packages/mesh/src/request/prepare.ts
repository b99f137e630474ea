import type { NatsConnection } from '@nats-io/transport-node'
import { faultsError, MeshError } from '../errors.ts'
import { isDeclared, isWithin, shown } from '../given.ts'
import { type Envelope, envelopeHeaders, newEnvelope } from '../message/envelope.ts'
import { headerBytes, type HeaderPairs, userHeaders } from '../message/headers.ts'
import { checkId, checkText, newId } from '../message/id.ts'
import type { Names } from '../topology/names.ts'
import type { AnyRequest } from './contract.ts'
import { encodePayload } from './payload.ts'
import { MOST_TIMEOUT_MS } from './reply.ts'

export type RequestOptions = {
  /**
   * How long to wait for the answer, ms, from now: waiting for the connection and for a responder is part of it. Of a
   * streaming request, for its last part. @default 5000; 60 000 when streaming
   */
  timeoutMs?: number
  /**
   * While nobody answers, or all are busy, ask again until `timeoutMs` is over, instead of an error at once. Harmless for any
   * request: none of these was begun. @default false
   */
  waitForResponder?: boolean
  /** Stops waiting; the responder of a stream is told. */
  signal?: AbortSignal
  /** The request's identity. Letters, digits and `_ . : / -`. @default a new one */
  id?: string
  /** What it belongs to. @default its own id */
  correlationId?: string
  /** The id of what caused it. */
  causationId?: string
  /** The user's own headers; `Nats-*`, `ce-*` and `malha-*` are refused. */
  headers?: Readonly<Record<string, string>>
}

/** A request checked and turned to bytes. */
export type Prepared = {
  envelope: Envelope
  /** With the namespace. */
  subject: string
  payload: Uint8Array
  /** Without trace context and time. */
  headers: HeaderPairs
  timeoutMs: number
}

export type PrepareDeps = { nc: NatsConnection; names: Names; options: { readonly name: string } }

/** Room for the headers that are added when it is sent: trace context, time, window. */
const LATER_BYTES = 512

/** @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_HEADER | MESH_INVALID_OPTIONS | MESH_PAYLOAD_TOO_LARGE */
export async function prepare(
  { nc, names, options }: PrepareDeps,
  contract: AnyRequest,
  { data, defaultTimeoutMs, ...given }: RequestOptions & { data: unknown; defaultTimeoutMs: number },
): Promise<Prepared> {
  if (!isDeclared(contract, 'request'))
    throw new MeshError('MESH_INVALID_CONTRACT', `${shown(contract)} is asked; give it what request(…) returns`)
  const { timeoutMs = defaultTimeoutMs } = given
  if (!isWithin(timeoutMs, 1, MOST_TIMEOUT_MS))
    throw faultsError('MESH_INVALID_OPTIONS', `request ${contract.type}`, [
      `timeoutMs is ${shown(timeoutMs)}; 1 ms to a day`,
    ])
  checkText('correlationId', given.correlationId)
  checkText('causationId', given.causationId)
  const payload = await encodePayload(contract, data)
  const envelope = newEnvelope(contract, {
    id: given.id === undefined ? newId() : checkId(given.id),
    from: options.name,
    key: undefined,
    correlationId: given.correlationId,
    causationId: given.causationId,
  })
  const headers = [...envelopeHeaders(envelope), ...userHeaders(given.headers ?? {})]
  const size = payload.length + headerBytes(headers) + LATER_BYTES
  const limit = nc.info?.max_payload ?? Infinity
  if (size > limit)
    throw new MeshError(
      'MESH_PAYLOAD_TOO_LARGE',
      `request ${contract.type} has ${size} bytes with its headers, ${limit} is the most here; store the bulk elsewhere and send a reference`,
    )
  return { envelope, subject: names.request(contract.type), payload, headers, timeoutMs }
}

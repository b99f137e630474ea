import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MeshError } from '../errors.ts'
import { type Codec, faultPlace } from '../message/codec.ts'
import { HEADER } from '../message/headers.ts'
import { validate } from '../message/validate.ts'
import type { AnyRequest, ErrorSchemas } from './contract.ts'
import type { Incoming } from './wire.ts'

/** One side of a request's contract: what it is called in errors, its schema, its encoding. */
export type Payload = { type: string; schema: StandardSchemaV1; codec: Codec }

/** The reply, or one part of it. */
export const replyPayload = ({ type, reply, codec }: AnyRequest): Payload => ({
  type: `the reply to ${type}`,
  schema: reply as StandardSchemaV1,
  codec,
})

/** One of its errors; undefined where the contract does not name it. */
export function errorPayload({ type, errors, codec }: AnyRequest, code: string): Payload | undefined {
  const schemas = errors as ErrorSchemas
  return Object.hasOwn(schemas, code)
    ? { type: `the error ${code} of ${type}`, schema: schemas[code]!, codec }
    : undefined
}

/**
 * Checks data and makes bytes of it. The wire carries what was given, not the schema's output: the reader's schema makes
 * its own.
 * @throws MeshError MESH_INVALID_PAYLOAD
 */
export async function encodePayload(payload: Payload, data: unknown): Promise<Uint8Array> {
  const { type, codec } = payload
  await validate(payload, data, 'MESH_INVALID_PAYLOAD')
  try {
    return codec.encode(data)
  } catch (cause) {
    throw new MeshError('MESH_INVALID_PAYLOAD', `${type} cannot be written as ${codec.contentType}`, { cause })
  }
}

/**
 * The schema's output.
 * @throws MeshError MESH_UNDECODABLE | MESH_SCHEMA_MISMATCH
 */
export async function decodeAnswer(expected: Payload, { headers, payload }: Incoming): Promise<unknown> {
  const { type, codec } = expected
  const mediaType = (headers[HEADER.contentType] ?? codec.contentType).split(';', 1)[0]!.trim().toLowerCase()
  if (mediaType !== codec.contentType)
    throw new MeshError('MESH_UNDECODABLE', `${type} came as ${mediaType.slice(0, 64)}, not ${codec.contentType}`)
  return await validate(expected, decoded(expected, payload), 'MESH_SCHEMA_MISMATCH')
}

function decoded({ type, codec }: Payload, bytes: Uint8Array): unknown {
  try {
    return codec.decode(bytes)
  } catch (error) {
    const what = `${type} (${bytes.length} bytes) is no valid ${codec.contentType}${faultPlace(error)}`
    throw new MeshError('MESH_UNDECODABLE', what)
  }
}

import { MeshError } from '../errors.ts'
import { type Envelope, readEnvelope } from '../message/envelope.ts'
import { HEADER } from '../message/headers.ts'
import { newId } from '../message/id.ts'
import type { AnyRequest } from './contract.ts'
import type { Incoming } from './wire.ts'

/**
 * What a request says of itself. One without CloudEvents headers, as `nats req` sends it, is taken as one of version 1.
 * @throws MeshError MESH_UNDECODABLE | MESH_UNKNOWN_TYPE
 */
export function requestEnvelope(contract: AnyRequest, { headers }: Incoming): Envelope {
  if (headers[HEADER.specVersion] === undefined && headers[HEADER.id] === undefined)
    return plainEnvelope(contract, headers)
  const envelope = readEnvelope(headers)
  if (envelope.type === contract.type) return envelope
  throw new MeshError(
    'MESH_UNKNOWN_TYPE',
    `a request of type ${JSON.stringify(envelope.type.slice(0, 128))} came on the subject of ${contract.type}`,
  )
}

function plainEnvelope(contract: AnyRequest, headers: Incoming['headers']): Envelope {
  const id = newId()
  return {
    id,
    type: contract.type,
    version: 1,
    source: '/plain-client',
    time: new Date().toISOString(),
    key: undefined,
    correlationId: id,
    causationId: undefined,
    contentType: headers[HEADER.contentType] ?? contract.codec.contentType,
  }
}

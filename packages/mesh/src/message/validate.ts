import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MeshError, type MeshErrorCode } from '../errors.ts'
import type { Maybe } from '../maybe.ts'
import { issueWords, redactorFor } from '../redaction/issue-words.ts'
import { faultPlace } from './codec.ts'
import type { AnyContract } from './contract.ts'
import type { Envelope } from './envelope.ts'

/** What a payload is read by: a contract, or one half of a request's. */
export type Readable = Pick<AnyContract, 'type' | 'schema' | 'version' | 'codec' | 'upcast'>

/**
 * Checks data against a contract's schema and returns the schema's output. Synchronous schemas stay synchronous.
 * @throws MeshError `code` naming each faulty path; never the value, which may be a secret
 */
export function validate(
  contract: Pick<Readable, 'type' | 'schema'>,
  data: unknown,
  code: Extract<MeshErrorCode, 'MESH_INVALID_PAYLOAD' | 'MESH_SCHEMA_MISMATCH'>,
): unknown {
  const result = contract.schema['~standard'].validate(data)
  if (result instanceof Promise) return result.then((settled) => outcome({ contract, data, code }, settled))
  const { issues, value } = result as StandardSchemaV1.SuccessResult<unknown>
  // Nothing is made for one that fits.
  return issues ? outcome({ contract, data, code }, result as StandardSchemaV1.Result<unknown>) : value
}

/**
 * The payload of a received message as the contract's data.
 * @throws MeshError MESH_NEWER_VERSION | MESH_UNDECODABLE | MESH_SCHEMA_MISMATCH
 */
export async function decodePayload(contract: Readable, envelope: Envelope, payload: Uint8Array): Promise<unknown> {
  return await readPayload(contract, envelope, payload)
}

/** The same, at once where the schema is synchronous. */
export function readPayload(contract: Readable, envelope: Envelope, payload: Uint8Array): Maybe<unknown> {
  if (envelope.version > contract.version)
    throw new MeshError(
      'MESH_NEWER_VERSION',
      `${envelope.type} is of version ${envelope.version}, this service knows ${contract.version}; it waits until a newer release runs`,
    )
  const raw = decodeBytes(contract, envelope, payload)
  const data = envelope.version < contract.version ? upcast(contract, raw, envelope.version) : raw
  return validate(contract, data, 'MESH_SCHEMA_MISMATCH')
}

function decodeBytes(contract: Readable, envelope: Envelope, payload: Uint8Array): unknown {
  const { contentType } = contract.codec
  if (envelope.contentType !== contentType && mediaTypeOf(envelope) !== contentType)
    throw new MeshError(
      'MESH_UNDECODABLE',
      `${envelope.type} came as ${mediaTypeOf(envelope).slice(0, 64)}, its contract says ${contentType}`,
    )
  try {
    return contract.codec.decode(payload)
  } catch (error) {
    throw new MeshError(
      'MESH_UNDECODABLE',
      `the payload of ${envelope.type} (${payload.length} bytes) is no valid ${contentType}${faultPlace(error)}`,
    )
  }
}

const mediaTypeOf = ({ contentType }: Envelope): string => contentType.split(';', 1)[0]!.trim().toLowerCase()

function upcast(contract: Readable, data: unknown, from: number): unknown {
  try {
    return contract.upcast!(data, from)
  } catch (cause) {
    throw new MeshError(
      'MESH_SCHEMA_MISMATCH',
      `${contract.type} of version ${from} could not be brought to version ${contract.version}`,
      redactorFor(contract.schema).isMarked ? undefined : { cause },
    )
  }
}

type Checked = { contract: Pick<Readable, 'type' | 'schema'>; data: unknown; code: MeshErrorCode }

function outcome({ contract, data, code }: Checked, result: StandardSchemaV1.Result<unknown>): unknown {
  const { issues } = result
  if (!issues) return result.value
  const words = issueWords(contract.schema, data, issues.slice(0, 20)).map((each) => `\n  - ${each}`)
  const more = issues.length > 20 ? `\n  - and ${issues.length - 20} more` : ''
  throw new MeshError(code, `${contract.type} does not fit its schema:${words.join('')}${more}`)
}

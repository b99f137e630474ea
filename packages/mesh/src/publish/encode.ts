import { MeshError } from '../errors.ts'
import type { AnyContract } from '../message/contract.ts'
import { keyToken } from '../message/key.ts'
import { validate } from '../message/validate.ts'

/** A message checked and turned to bytes. */
export type Encoded = { contract: AnyContract; payload: Uint8Array; key: string | undefined }

/**
 * Validates data against its contract, takes its key, encodes it. A promise only where the schema is asynchronous.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY
 */
export function encodeEvent(contract: AnyContract, data: unknown): Encoded | Promise<Encoded> {
  const valid = validate(contract, data, 'MESH_INVALID_PAYLOAD')
  if (valid instanceof Promise) return valid.then((settled) => encoded(contract, data, settled))
  return encoded(contract, data, valid)
}

/** The wire carries what was given, not the schema's output: the reader's schema makes its own. */
function encoded(contract: AnyContract, data: unknown, valid: unknown): Encoded {
  const key = contract.key?.(valid)
  if (key !== undefined || contract.key) keyToken(key as string)
  try {
    return { contract, payload: contract.codec.encode(data), key }
  } catch (cause) {
    throw new MeshError('MESH_INVALID_PAYLOAD', `${contract.type} cannot be written as ${contract.codec.contentType}`, {
      cause,
    })
  }
}

import { MeshError } from '../errors.ts'
import { chain, type Maybe } from '../maybe.ts'
import type { AnyContract } from './contract.ts'
import type { Envelope } from './envelope.ts'
import { readPayload } from './validate.ts'

/**
 * An event's payload as its contract's data, its key compared with the one the contract computes. An older version may
 * have another key: a contract whose version grew may have changed it. A message without a key, from a plain client, is
 * taken as it is.
 * @throws MeshError MESH_KEY_CHANGED and those of {@link readPayload}
 */
export function decodeEvent(contract: AnyContract, envelope: Envelope, payload: Uint8Array): Maybe<unknown> {
  const data = readPayload(contract, envelope, payload)
  if (!contract.key || envelope.key === undefined || envelope.version !== contract.version) return data
  return chain(data, (value) => {
    if (contract.key!(value) !== envelope.key) throw keyChanged(envelope)
    return value
  })
}

function keyChanged({ type, version }: Envelope): MeshError {
  return new MeshError(
    'MESH_KEY_CHANGED',
    `the key of this ${type} is not the one its contract computes from the payload, though both are of version ${version}: a key that changes needs a new version. Restore it, or raise the version; what is in the dead letters must be published anew`,
  )
}

import { type AnyContract, type AnyRequest, decodePayload, type Envelope, keyToken, MeshError } from '@malha/mesh'

/** What data are checked by and written with. */
export type Carrying = Pick<AnyContract, 'type' | 'schema' | 'codec'>

type Validated = Awaited<ReturnType<AnyContract['schema']['~standard']['validate']>>

/**
 * What a handler gets when `data` was published under `version`, and a reply when it was asked so.
 * @throws MeshError MESH_NEWER_VERSION | MESH_SCHEMA_MISMATCH
 */
export async function received(contract: AnyContract | AnyRequest, data: unknown, version: number): Promise<unknown> {
  const envelope: Envelope = {
    id: 'specification',
    type: contract.type,
    version,
    source: '/specification',
    time: '',
    key: undefined,
    correlationId: 'specification',
    causationId: undefined,
    contentType: contract.codec.contentType,
  }
  return decodePayload(contract, envelope, contract.codec.encode(data))
}

/**
 * What the wire carries of `data`, decoded again. A promise only where the schema is asynchronous.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY
 */
export function published(contract: AnyContract, data: unknown): unknown {
  return carried(contract, data, (output) => keyOf(contract, output))
}

/**
 * What the wire carries of `data`, decoded again. A promise only where the schema is asynchronous.
 * @throws MeshError MESH_INVALID_PAYLOAD; what `check` throws at the schema's output
 */
export function carried(what: Carrying, data: unknown, check: (output: unknown) => unknown = () => undefined): unknown {
  const written = (result: Validated): unknown => {
    check(accepted(what, result))
    return wireData(what, data)
  }
  const result = what.schema['~standard'].validate(data)
  if (result instanceof Promise) return result.then((settled) => written(settled))
  return written(result)
}

/** @throws MeshError MESH_INVALID_KEY */
export function keyOf(contract: AnyContract, output: unknown): string | undefined {
  const key = contract.key?.(output)
  if (contract.key) keyToken(key as string)
  return key
}

function accepted({ type }: Carrying, result: Validated): unknown {
  if (!result.issues) return result.value
  const faults = result.issues.map(({ path, message }) => `\n  - ${(path ?? []).map(step).join('.')}: ${message}`)
  throw new MeshError('MESH_INVALID_PAYLOAD', `${type} does not fit its schema:${faults.join('')}`)
}

/** The wire carries what was given; the reader's schema makes its own output. */
function wireData(contract: Carrying, data: unknown): unknown {
  try {
    return contract.codec.decode(contract.codec.encode(data))
  } catch (cause) {
    const detail = `${contract.type} cannot be written as ${contract.codec.contentType}`
    throw new MeshError('MESH_INVALID_PAYLOAD', detail, { cause })
  }
}

function step(part: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof part === 'object' ? part.key : part)
}

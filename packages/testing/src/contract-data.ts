import { type AnyContract, MeshError, type MeshErrorCode } from '@malha/mesh'

const MAX_KEY_BYTES = 128

type Validated = Awaited<ReturnType<AnyContract['schema']['~standard']['validate']>>

/** An event's data as the wire carries it, decoded again, and its key. */
export type WireData = { data: unknown; key: string | undefined }

/**
 * What a handler gets when `data` was published under `version`.
 * @throws MeshError MESH_NEWER_VERSION | MESH_SCHEMA_MISMATCH
 */
export async function received(contract: AnyContract, data: unknown, version?: number): Promise<unknown> {
  const from = version ?? contract.version
  if (from > contract.version)
    throw new MeshError(
      'MESH_NEWER_VERSION',
      `${contract.type} is of version ${from}, this service knows ${contract.version}`,
    )
  const decoded = contract.codec.decode(contract.codec.encode(data))
  const current = from < contract.version ? upcast(contract, decoded, from) : decoded
  return valueOf(contract, await contract.schema['~standard'].validate(current), 'MESH_SCHEMA_MISMATCH')
}

/**
 * What is published of `data`. A promise only where the schema is asynchronous.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY
 */
export function published(contract: AnyContract, data: unknown): WireData | Promise<WireData> {
  const result = contract.schema['~standard'].validate(data)
  if (result instanceof Promise) return result.then((settled) => wireData(contract, data, settled))
  return wireData(contract, data, result)
}

/** @throws MeshError MESH_INVALID_KEY */
export function keyOf(contract: AnyContract, output: unknown): string | undefined {
  if (!contract.key) return undefined
  const key: unknown = contract.key(output)
  const fits =
    typeof key === 'string' && key.length > 0 && Buffer.byteLength(key) <= MAX_KEY_BYTES && key.isWellFormed()
  if (!fits) throw new MeshError('MESH_INVALID_KEY', `${contract.type}: a key is text of 1 to ${MAX_KEY_BYTES} bytes`)
  return key
}

/** The wire carries what was given; the reader's schema makes its own output. */
function wireData(contract: AnyContract, data: unknown, result: Validated): WireData {
  const key = keyOf(contract, valueOf(contract, result, 'MESH_INVALID_PAYLOAD'))
  try {
    return { data: contract.codec.decode(contract.codec.encode(data)), key }
  } catch (cause) {
    const detail = `${contract.type} cannot be written as ${contract.codec.contentType}`
    throw new MeshError('MESH_INVALID_PAYLOAD', detail, { cause })
  }
}

function upcast(contract: AnyContract, data: unknown, from: number): unknown {
  try {
    return contract.upcast?.(data, from)
  } catch (cause) {
    const detail = `${contract.type} of version ${from} could not be brought to version ${contract.version}`
    throw new MeshError('MESH_SCHEMA_MISMATCH', detail, { cause })
  }
}

function valueOf(contract: AnyContract, result: Validated, code: MeshErrorCode): unknown {
  if (!result.issues) return result.value
  const faults = result.issues.map(({ path, message }) => `\n  - ${(path ?? []).map(step).join('.')}: ${message}`)
  throw new MeshError(code, `${contract.type} does not fit its schema:${faults.join('')}`)
}

function step(part: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof part === 'object' ? part.key : part)
}

import { type AnyContract, MeshError, type MeshErrorCode } from '@malha/mesh'

const MAX_KEY_BYTES = 128
const MAX_PAYLOAD_BYTES = 1024 * 1024

type Validated = Awaited<ReturnType<AnyContract['schema']['~standard']['validate']>>

/**
 * What a handler gets when `data` was published under `version`.
 * @throws MeshError MESH_NEWER_VERSION | MESH_SCHEMA_MISMATCH
 */
export async function received(contract: AnyContract, data: unknown, version?: number): Promise<unknown> {
  const from = version ?? contract.version
  if (from > contract.version)
    throw new MeshError(
      'MESH_NEWER_VERSION',
      `${contract.type} version ${from}; this service knows ${contract.version}`,
    )
  const decoded = contract.codec.decode(contract.codec.encode(data))
  const current = from < contract.version && contract.upcast ? contract.upcast(decoded, from) : decoded
  return valueOf(contract, await contract.schema['~standard'].validate(current), 'MESH_SCHEMA_MISMATCH')
}

/**
 * What the wire carries of `data`, decoded again, and the schema's output of it.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_PAYLOAD_TOO_LARGE
 */
export function wireForm(contract: AnyContract, data: unknown): { wire: unknown; output: unknown } {
  const result = contract.schema['~standard'].validate(data)
  if (result instanceof Promise)
    throw new MeshError('MESH_INVALID_PAYLOAD', `${contract.type}: its schema is asynchronous, ctx.publish is not`)
  const output = valueOf(contract, result, 'MESH_INVALID_PAYLOAD')
  const bytes = contract.codec.encode(data)
  if (bytes.length > MAX_PAYLOAD_BYTES)
    throw new MeshError(
      'MESH_PAYLOAD_TOO_LARGE',
      `${contract.type}: ${bytes.length} bytes, ${MAX_PAYLOAD_BYTES} at most`,
    )
  return { wire: contract.codec.decode(bytes), output }
}

/** @throws MeshError MESH_INVALID_KEY */
export function keyOf(contract: AnyContract, output: unknown): string | undefined {
  const key = contract.key?.(output)
  if (key === undefined) return undefined
  if (key.length === 0 || Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new MeshError('MESH_INVALID_KEY', `${contract.type}: a key takes 1 to ${MAX_KEY_BYTES} bytes`)
  return key
}

function valueOf(contract: AnyContract, result: Validated, code: MeshErrorCode): unknown {
  if (!result.issues) return result.value
  const faults = result.issues.map(({ path, message }) => `\n  - ${[...(path ?? [])].map(step).join('.')}: ${message}`)
  throw new MeshError(code, `${contract.type} does not fit its schema${faults.join('')}`)
}

function step(part: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof part === 'object' ? part.key : part)
}

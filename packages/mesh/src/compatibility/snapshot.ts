import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import { faultsError } from '../errors.ts'
import type { AnyContract } from '../message/contract.ts'
import type { AnyRequest, ErrorSchemas } from '../request/contract.ts'
import { describeKey } from './describe-key.ts'
import { isObject, type JsonSchema, sorted } from './json-schema.ts'

/** What is compared of a contract. Plain JSON. */
export type ContractSnapshot = {
  readonly type: string
  readonly kind: 'event' | 'command' | 'request'
  readonly version: number
  readonly contentType: string
  /** Null of a request: it is not stored. */
  readonly stream: { readonly name: string; readonly partitions: number } | null
  /** In words, such as `{orderId}`; `computed (…)` with a hash of its text where words do not do; null without a key. */
  readonly key: string | null
  readonly priorities: boolean
  /** JSON Schema, draft 2020-12, of what publishers (or requesters) give. */
  readonly schema: JsonSchema
  /** Of a request. */
  readonly answers: AnswersSnapshot | null
}

export type AnswersSnapshot = {
  readonly streaming: boolean
  readonly reply: JsonSchema
  /** By code. */
  readonly errors: Readonly<Record<string, JsonSchema>>
}

/** A set of contracts as JSON: to be committed, and compared with later ones. Its order is always the same. */
export type ContractsSnapshot = {
  readonly malha: 'contracts'
  readonly format: 1
  readonly contracts: readonly ContractSnapshot[]
}

export type SnapshotOptions = {
  /** JSON Schema (draft 2020-12) of schemas whose library has no `~standard.jsonSchema`. */
  jsonSchema?: (schema: StandardSchemaV1, contract: AnyContract | AnyRequest) => JsonSchema | undefined
}

/**
 * The contracts as plain JSON, for a file in version control: `JSON.stringify(contractsSnapshot([…]), null, 2)`. Schemas
 * are asked for by Standard JSON Schema (zod 4.2 and newer, ArkType 2.1.28 and newer; valibot through
 * `@valibot/to-json-schema`). Refinements in code are not in it: no JSON Schema can say them.
 * @throws MeshError MESH_INVALID_CONTRACT with every contract whose schema cannot be had
 */
export function contractsSnapshot(
  contracts: readonly (AnyContract | AnyRequest)[],
  options: SnapshotOptions = {},
): ContractsSnapshot {
  const faults: string[] = []
  const taken = contracts.map((contract) => snapshotOf(contract, options, faults))
  const types = taken.map(({ type }) => type)
  for (const type of new Set(types.filter((one, place) => types.indexOf(one) !== place)))
    faults.push(`${type} is there more than once; keep one declaration`)
  if (faults.length > 0) throw faultsError('MESH_INVALID_CONTRACT', 'contracts', faults)
  return { malha: 'contracts', format: 1, contracts: taken.sort((a, b) => (a.type < b.type ? -1 : 1)) }
}

function snapshotOf(contract: AnyContract | AnyRequest, options: SnapshotOptions, faults: string[]): ContractSnapshot {
  const { type, kind, version, codec } = contract
  const jsonOf = (schema: StandardSchemaV1, what: string): JsonSchema => {
    try {
      return sorted(options.jsonSchema?.(schema, contract) ?? standardJsonSchema(schema)) as JsonSchema
    } catch (error) {
      faults.push(`${type}${what}: ${error instanceof Error ? error.message : String(error)}`)
      return true
    }
  }
  const common = { type, kind, version, contentType: codec.contentType, schema: jsonOf(contract.schema, '') }
  if (contract.kind === 'request')
    return { ...common, stream: null, key: null, priorities: false, answers: answersOf(contract, jsonOf) }
  const { name, partitions } = contract.stream
  const { priorities } = contract
  return { ...common, stream: { name, partitions }, key: describeKey(contract) ?? null, priorities, answers: null }
}

function answersOf(
  { streaming, reply, errors }: AnyRequest,
  jsonOf: (schema: StandardSchemaV1, what: string) => JsonSchema,
): AnswersSnapshot {
  const codes = Object.keys(errors as ErrorSchemas).sort()
  return {
    streaming,
    reply: jsonOf(reply, ', its reply'),
    errors: Object.fromEntries(
      codes.map((code) => [code, jsonOf((errors as ErrorSchemas)[code]!, `, its error ${code}`)]),
    ),
  }
}

/** @throws Error where its library gives none */
export function standardJsonSchema(schema: StandardSchemaV1): JsonSchema {
  const standard = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>
  if (typeof standard.jsonSchema?.input !== 'function')
    throw new Error(
      'its schema library gives no JSON Schema by ~standard.jsonSchema; wrap the schema with the library’s adapter, or give the option jsonSchema',
    )
  return standard.jsonSchema.input({ target: 'draft-2020-12' })
}

/**
 * A snapshot read from a file.
 * @throws MeshError MESH_INVALID_CONTRACT: another file, or one of a newer format
 */
export function readSnapshot(value: unknown): ContractsSnapshot {
  const isOurs = isObject(value) && value['malha'] === 'contracts' && Array.isArray(value['contracts'])
  if (!isOurs)
    throw faultsError('MESH_INVALID_CONTRACT', 'snapshot', [
      'this is no snapshot of contracts; make one with contractsSnapshot',
    ])
  if (value['format'] !== 1)
    throw faultsError('MESH_INVALID_CONTRACT', 'snapshot', [
      `it is of format ${String(value['format'])}, this release knows 1; upgrade @malha/mesh`,
    ])
  return value as ContractsSnapshot
}

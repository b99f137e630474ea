import type { StandardSchemaV1 } from '@standard-schema/spec'
import { faultsError } from '../errors.ts'
import type { StreamDef } from '../topology/stream.ts'
import { type Codec, json } from './codec.ts'

/** What a user says of an event or a command. */
export type ContractOptions<In, Out> = {
  /** The stream that holds it. */
  stream: StreamDef
  /** Any Standard Schema library. The wire carries the schema's input; handlers get its output. */
  schema: StandardSchemaV1<In, Out>
  /** Whose event it is, e.g. the centre's id: at most 128 bytes. Keyed events can be ordered, and published `once`. */
  key?: (data: Out) => string
  /** Of a command: it may be published `high`, `normal` or `low`, and its handler does the urgent ones first. @default false */
  priorities?: boolean
  /** Grows with each incompatible change of the schema. @default 1 */
  version?: number
  /** Brings a payload of an older version to this one, before the schema sees it. Needed as soon as `version` > 1. */
  upcast?: (data: unknown, fromVersion: number) => unknown
  /** @default json */
  codec?: Codec
}

/** A typed message as declared data. `In` is what publishers give, `Out` what handlers get. */
export type Contract<In = unknown, Out = In> = {
  readonly kind: 'event' | 'command'
  readonly type: string
  readonly stream: StreamDef
  readonly schema: StandardSchemaV1<In, Out>
  readonly version: number
  readonly codec: Codec
  readonly priorities: boolean
  readonly key: ((data: Out) => string) | undefined
  readonly upcast: ((data: unknown, fromVersion: number) => unknown) | undefined
}

/** A contract whose payload types do not matter here. */
// oxlint-disable-next-line typescript/no-explicit-any -- a list of contracts has no common payload type
export type AnyContract = Contract<any, any>

/**
 * Declares an event: something that happened, for anyone to handle.
 * @param type lower case with dots, past tense: `center.registered`
 * @throws MeshError MESH_INVALID_CONTRACT with every fault
 */
export function event<In, Out = In>(type: string, options: ContractOptions<In, Out>): Contract<In, Out> {
  return contract('event', type, options)
}

/**
 * Declares a command: something to be done, by exactly one service.
 * @param type lower case with dots, imperative: `invoice.issue`
 * @throws MeshError MESH_INVALID_CONTRACT with every fault
 */
export function command<In, Out = In>(type: string, options: ContractOptions<In, Out>): Contract<In, Out> {
  return contract('command', type, options)
}

/** A handler's view of every event of a stream whose type matches: `topic(orders, 'order.*')`. Payloads are not validated. */
export type Topic = { readonly kind: 'topic'; readonly pattern: string; readonly stream: StreamDef }

/**
 * Routes by pattern: `*` is one token of the type, a final `>` one or more.
 * @throws MeshError MESH_INVALID_CONTRACT
 */
export function topic(stream: StreamDef, pattern: string): Topic {
  if (!/^([a-z0-9-]+|\*)(\.([a-z0-9-]+|\*))*(\.>)?$|^>$/.test(pattern))
    throw faultsError('MESH_INVALID_CONTRACT', `topic ${JSON.stringify(pattern)}`, [
      'tokens of a-z, 0-9 and -, or *, or a final >',
    ])
  return Object.freeze({ kind: 'topic', pattern, stream })
}

function contract<In, Out>(
  kind: 'event' | 'command',
  type: string,
  options: ContractOptions<In, Out>,
): Contract<In, Out> {
  const def: Contract<In, Out> = {
    kind,
    type,
    stream: options.stream,
    schema: options.schema,
    version: options.version ?? 1,
    codec: options.codec ?? json,
    priorities: options.priorities ?? false,
    key: options.key,
    upcast: options.upcast,
  }
  const faults = contractFaults(def)
  if (faults.length > 0) throw faultsError('MESH_INVALID_CONTRACT', `${kind} ${JSON.stringify(type)}`, faults)
  return Object.freeze(def)
}

function contractFaults(def: AnyContract): string[] {
  const faults: string[] = []
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(def.type) || def.type.length > 128)
    faults.push('the type takes two or more tokens of a-z, 0-9 and - joined by dots, e.g. center.registered')
  if (/^\d/.test(def.type.split('.').at(-2) ?? '') && def.type.split('.').length > 2)
    faults.push('the last token but one must not start with a digit: it would read as a partition')
  if (!(Number.isSafeInteger(def.version) && def.version >= 1))
    faults.push(`version is ${def.version}; a whole number from 1`)
  if (def.version > 1 && def.upcast === undefined)
    faults.push(`version ${def.version} needs upcast: older events are still in the stream`)
  if (typeof def.schema?.['~standard']?.validate !== 'function')
    faults.push('schema must be a Standard Schema (zod, valibot, arktype, …)')
  if (!def.stream.subjects.some((pattern) => covers(pattern, def.type)))
    faults.push(
      `stream ${def.stream.name} (${def.stream.subjects.join(', ')}) does not hold this type; widen its subjects`,
    )
  else if (def.key && !def.stream.subjects.some((pattern) => covers(pattern, `${def.type}.0.k`)))
    faults.push(`stream ${def.stream.name} does not hold ${def.type}.<partition>.<key>; end its subject in .>`)
  if (def.priorities && def.kind === 'event')
    faults.push('only commands have priorities: an event happened, and each handler decides what it is worth')
  if (def.priorities && !def.stream.subjects.some((pattern) => covers(pattern, `${def.type}._high.0.k`)))
    faults.push(`stream ${def.stream.name} does not hold ${def.type}._high; end its subject in .>`)
  return faults
}

/** Whether a NATS subject pattern matches a subject (or a type). */
export function covers(pattern: string, subject: string): boolean {
  const want = pattern.split('.')
  const have = subject.split('.')
  for (const [index, token] of want.entries()) {
    if (token === '>') return have.length > index
    if (have[index] === undefined || (token !== '*' && token !== have[index])) return false
  }
  return want.length === have.length
}

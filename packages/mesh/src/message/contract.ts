import type { StandardSchemaV1 } from '@standard-schema/spec'
import { faultsError } from '../errors.ts'
import { isDeclared, isMatch, isWhole, shown } from '../given.ts'
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
  const faults: string[] = []
  if (!isMatch(pattern, /^([a-z0-9-]+|\*)(\.([a-z0-9-]+|\*))*(\.>)?$|^>$/))
    faults.push('tokens of a-z, 0-9 and -, or *, or a final >')
  if (!isDeclared(stream, 'stream')) faults.push(NO_STREAM(stream))
  if (faults.length > 0) throw faultsError('MESH_INVALID_CONTRACT', `topic ${shown(pattern)}`, faults)
  return Object.freeze({ kind: 'topic', pattern, stream })
}

function contract<In, Out>(
  kind: 'event' | 'command',
  type: string,
  options: ContractOptions<In, Out>,
): Contract<In, Out> {
  const given = options ?? {}
  const def: Contract<In, Out> = {
    kind,
    type,
    stream: given.stream,
    schema: given.schema,
    version: given.version ?? 1,
    codec: given.codec ?? json,
    priorities: given.priorities ?? false,
    key: given.key,
    upcast: given.upcast,
  }
  const faults = contractFaults(def)
  if (faults.length > 0) throw faultsError('MESH_INVALID_CONTRACT', `${kind} ${shown(type)}`, faults)
  return Object.freeze(def)
}

function contractFaults(def: AnyContract): string[] {
  const faults: string[] = []
  if (!isMatch(def.type, /^[a-z0-9-]+(\.[a-z0-9-]+)+$/) || def.type.length > 128)
    faults.push('the type takes two or more tokens of a-z, 0-9 and - joined by dots, e.g. center.registered')
  else if (/^\d/.test(def.type.split('.').at(-2) ?? '') && def.type.split('.').length > 2)
    faults.push('the last token but one must not start with a digit: it would read as a partition')
  faults.push(...versionFaults(def, 'older events are still in the stream'))
  if (!isSchema(def.schema)) faults.push('schema must be a Standard Schema (zod, valibot, arktype, …)')
  if (def.key !== undefined && typeof def.key !== 'function')
    faults.push(`key is ${shown(def.key)}; a function from the data to its key`)
  faults.push(...codecFaults(def.codec))
  if (typeof def.priorities !== 'boolean') faults.push(`priorities is ${shown(def.priorities)}; true or false`)
  if (def.priorities && def.kind === 'event')
    faults.push('only commands have priorities: an event happened, and each handler decides what it is worth')
  return [...faults, ...(isDeclared(def.stream, 'stream') ? streamFaults(def) : [NO_STREAM(def.stream)])]
}

const NO_STREAM = (given: unknown): string => `its stream is ${shown(given)}; give it what stream(…) returns`

/** Whether its stream holds all that it may be published on. */
function streamFaults(def: AnyContract): string[] {
  if (typeof def.type !== 'string') return []
  const faults: string[] = []
  if (!def.stream.subjects.some((pattern) => covers(pattern, def.type)))
    faults.push(
      `stream ${def.stream.name} (${def.stream.subjects.join(', ')}) does not hold this type; widen its subjects`,
    )
  else if (def.key && !def.stream.subjects.some((pattern) => covers(pattern, `${def.type}.0.k`)))
    faults.push(`stream ${def.stream.name} does not hold ${def.type}.<partition>.<key>; end its subject in .>`)
  if (def.priorities && !def.stream.subjects.some((pattern) => covers(pattern, `${def.type}._high.0.k`)))
    faults.push(`stream ${def.stream.name} does not hold ${def.type}._high; end its subject in .>`)
  return faults
}

/** What is wrong with a version and its `upcast`; `why` it is needed. */
export function versionFaults({ version, upcast }: Pick<AnyContract, 'version' | 'upcast'>, why: string): string[] {
  const faults: string[] = []
  if (!isWhole(version, 1)) faults.push(`version is ${shown(version)}; a whole number from 1`)
  else if (version > 1 && upcast === undefined) faults.push(`version ${version} needs upcast: ${why}`)
  if (upcast !== undefined && typeof upcast !== 'function')
    faults.push(`upcast is ${shown(upcast)}; a function from older data and its version to this one`)
  return faults
}

/** What is wrong with a codec: its content type becomes a header. */
export function codecFaults(codec: Codec): string[] {
  const isCodec = typeof codec?.encode === 'function' && typeof codec.decode === 'function'
  const isMediaType = isMatch(codec?.contentType, /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/)
  return isCodec && isMediaType
    ? []
    : ['codec must have encode, decode and a contentType in lower case without parameters, e.g. application/json']
}

/** Any library's. */
export const isSchema = (schema: StandardSchemaV1): boolean => typeof schema?.['~standard']?.validate === 'function'

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

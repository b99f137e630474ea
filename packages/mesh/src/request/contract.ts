import type { StandardSchemaV1 } from '@standard-schema/spec'
import { faultsError } from '../errors.ts'
import { isMatch, isObject, shown } from '../given.ts'
import { codecFaults, isSchema, versionFaults } from '../message/contract.ts'
import { type Codec, json } from '../message/codec.ts'

/** The errors a contract names, each with the schema of its data. */
export type ErrorSchemas = Readonly<Record<string, StandardSchemaV1>>

/** A contract that names no errors. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- no code is one of its errors
export type NoErrors = Readonly<Record<never, StandardSchemaV1>>

/** What a user says of a request. */
export type RequestContractOptions<In, Out, Given, Answer, Errors, Streaming> = {
  /** What is asked. Any Standard Schema library. The wire carries the schema's input; the responder gets its output. */
  schema: StandardSchemaV1<In, Out>
  /** What is answered; of a streaming request one part of it. Responders give its input, requesters get its output. */
  reply: StandardSchemaV1<Given, Answer>
  /**
   * Errors that are part of the contract, by code (`price.unknown`), each with the schema of what it says. They cross the
   * wire; any other error stays in the responder's log. @default none
   */
  errors?: Errors
  /** There are several replies, one after the other: `mesh.requestStream`. @default false */
  streaming?: Streaming
  /**
   * Asking twice does no harm. Then a request whose connection broke before its answer came is sent again, under the same
   * id. Not of streaming ones. @default false
   */
  idempotent?: boolean
  /** Grows with each incompatible change of `schema`. A changed `reply` is another type. @default 1 */
  version?: number
  /** Brings data of an older version to this one, before the schema sees it. Needed as soon as `version` > 1. */
  upcast?: (data: unknown, fromVersion: number) => unknown
  /** @default json */
  codec?: Codec
}

/**
 * A question and its answer as declared data. `In` is what requesters give and `Out` what the responder gets; `Given` is
 * what the responder answers and `Answer` what requesters get.
 */
export type RequestContract<
  In = unknown,
  Out = In,
  Given = unknown,
  Answer = Given,
  Errors extends ErrorSchemas = NoErrors,
  Streaming extends boolean = boolean,
> = {
  readonly kind: 'request'
  readonly type: string
  readonly schema: StandardSchemaV1<In, Out>
  readonly reply: StandardSchemaV1<Given, Answer>
  readonly errors: Errors
  readonly streaming: Streaming
  readonly idempotent: boolean
  readonly version: number
  readonly codec: Codec
  readonly upcast: ((data: unknown, fromVersion: number) => unknown) | undefined
}

/** A request contract whose types do not matter here. */
// oxlint-disable-next-line typescript/no-explicit-any -- a list of contracts has no common payload type
export type AnyRequest = RequestContract<any, any, any, any, any>

/**
 * Declares a request: something one service asks of another and waits for. It is not stored: nobody there, no answer.
 * @param type lower case with dots: `price.quote`
 * @throws MeshError MESH_INVALID_CONTRACT with every fault
 */
export function request<
  In,
  Out = In,
  Given = unknown,
  Answer = Given,
  Errors extends ErrorSchemas = NoErrors,
  const Streaming extends boolean = false,
>(
  type: string,
  options: RequestContractOptions<In, Out, Given, Answer, Errors, Streaming>,
): RequestContract<In, Out, Given, Answer, Errors, Streaming> {
  const given = options ?? {}
  const contract: RequestContract<In, Out, Given, Answer, Errors, Streaming> = {
    kind: 'request',
    type,
    schema: given.schema,
    reply: given.reply,
    errors: (isObject(given.errors) ? Object.freeze({ ...given.errors }) : (given.errors ?? {})) as Errors,
    streaming: (given.streaming ?? false) as Streaming,
    idempotent: given.idempotent ?? false,
    version: given.version ?? 1,
    codec: given.codec ?? json,
    upcast: given.upcast,
  }
  const faults = requestFaults(contract)
  if (faults.length > 0) throw faultsError('MESH_INVALID_CONTRACT', `request ${shown(type)}`, faults)
  return Object.freeze(contract)
}

function requestFaults(contract: AnyRequest): string[] {
  const faults: string[] = []
  if (!isMatch(contract.type, /^[a-z0-9-]+(\.[a-z0-9-]+)+$/) || contract.type.length > 128)
    faults.push('the type takes two or more tokens of a-z, 0-9 and - joined by dots, e.g. price.quote')
  faults.push(...versionFaults(contract, 'requesters of older releases still ask'), ...codecFaults(contract.codec))
  for (const name of ['streaming', 'idempotent'] as const)
    if (typeof contract[name] !== 'boolean') faults.push(`${name} is ${shown(contract[name])}; true or false`)
  if (contract.streaming && contract.idempotent)
    faults.push('a streaming request cannot be idempotent: a stream that broke is not begun again by the mesh')
  if (!isSchema(contract.schema)) faults.push('schema must be a Standard Schema (zod, valibot, arktype, …)')
  if (!isSchema(contract.reply)) faults.push('reply must be a Standard Schema (zod, valibot, arktype, …)')
  if (!isObject(contract.errors))
    return [...faults, `errors is ${shown(contract.errors)}; an object of schemas by code`]
  for (const [code, schema] of Object.entries(contract.errors as ErrorSchemas)) {
    if (!/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(code) || code.length > 128)
      faults.push(`error ${JSON.stringify(code)}: its code takes tokens of a-z, 0-9 and - joined by dots`)
    if (!isSchema(schema)) faults.push(`error ${JSON.stringify(code)}: its schema must be a Standard Schema`)
  }
  return faults
}

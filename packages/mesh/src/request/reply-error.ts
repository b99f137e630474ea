import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { ErrorSchemas } from './contract.ts'

/** An error that a contract names: thrown by the responder, and again at the requester with the same code and data. */
export class ReplyError<Code extends string = string, Data = unknown> extends Error {
  override readonly name = 'ReplyError'
  /** The type of the request it answers. */
  readonly type: string
  /** One of the codes of the contract's `errors`. */
  readonly code: Code
  /** Fits the schema the contract has for this code. */
  readonly data: Data

  constructor(type: string, code: Code, data: Data) {
    super(`${type} was answered with ${code}`)
    this.type = type
    this.code = code
    this.data = data
  }
}

/** Every error a contract names, as requesters get it: narrowed by `code`. */
export type ReplyErrorOf<Errors extends ErrorSchemas> = {
  [Code in keyof Errors & string]: ReplyError<Code, StandardSchemaV1.InferOutput<Errors[Code]>>
}[keyof Errors & string]

/** A request contract, as far as its errors go. */
export type NamedErrors<Errors extends ErrorSchemas> = { readonly type: string; readonly errors: Errors }

/** For a responder to throw. Its data is checked against the contract before it is sent. */
export function replyError<Errors extends ErrorSchemas, Code extends keyof Errors & string>(
  contract: NamedErrors<Errors>,
  code: Code,
  data: StandardSchemaV1.InferInput<Errors[Code]>,
): ReplyError<Code, StandardSchemaV1.InferInput<Errors[Code]>> {
  return new ReplyError(contract.type, code, data)
}

/** Whether what was caught is one of the errors this contract names. Then `code` tells which, and `data` has its type. */
export function isReplyError<Errors extends ErrorSchemas>(
  error: unknown,
  contract: NamedErrors<Errors>,
): error is ReplyErrorOf<Errors> {
  return error instanceof ReplyError && error.type === contract.type && Object.hasOwn(contract.errors, error.code)
}

import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import type { AnyContract, OutputOptions } from '@malha/mesh'
import { type HandlerResult, outputOf, type PublishedOutput } from './handler-run.ts'

/** One output: the contract, its data (the schema's input), and its options: `{ once: true }`, `{ priority: 'high' }`, `{ deliverIn: 1000 }`. */
export type ExpectedOutput = readonly [contract: AnyContract, data: unknown, options?: OutputOptions]

// oxlint-disable-next-line typescript/no-explicit-any -- an error class may take whatever it likes
export type ErrorClass = abstract new (...args: any[]) => Error

/** What a handler is to have done. What is left out is to be absent. */
export type Expected = {
  /** Outputs in their order. @default none */
  published?: readonly ExpectedOutput[]
  /** A code or a part of the message, a pattern of the message, or the error's class. @default none */
  error?: string | RegExp | ErrorClass
}

/** The difference between what happened and what was expected, in words; nothing if there is none. */
export async function explain(result: HandlerResult, expected: Expected): Promise<Error | undefined> {
  const wrong = differingError('handler', result, expected.error)
  return wrong ?? differingOutputs(result.published, await Promise.all((expected.published ?? []).map(toOutput)))
}

/** Whether `what` failed, and with what, compared with what was expected. */
export function differingError(
  what: 'handler' | 'reply',
  { failed, error }: Pick<HandlerResult, 'failed' | 'error'>,
  expected: Expected['error'],
): Error | undefined {
  if (failed && expected === undefined)
    return failure(`the ${what} failed with ${told(error)}; it was expected to succeed`, error)
  if (!failed && expected !== undefined)
    return failure(`the ${what} succeeded; it was expected to fail with ${toldExpected(expected)}`)
  if (expected !== undefined && !matches(error, expected))
    return failure(`the ${what} failed with ${told(error)}; expected was ${toldExpected(expected)}`, error)
  return undefined
}

async function toOutput([contract, data, options]: ExpectedOutput, index: number): Promise<PublishedOutput> {
  try {
    return await outputOf(contract, data, options ?? {})
  } catch (error) {
    throw new TypeError(`the expected output ${index + 1} can never be published: ${told(error)}`, { cause: error })
  }
}

function differingOutputs(actual: PublishedOutput[], expected: PublishedOutput[]): Error | undefined {
  if (isDeepStrictEqual(actual, expected)) return undefined
  const error = new AssertionError({ actual, expected, operator: 'deepStrictEqual' })
  error.message = `the handler published ${types(actual)}; expected was ${types(expected)}\n${error.message}`
  return error
}

function types(outputs: PublishedOutput[]): string {
  return outputs.map(({ type }) => type).join(', ') || 'nothing'
}

function matches(error: unknown, expected: string | RegExp | ErrorClass): boolean {
  if (typeof expected === 'function') return error instanceof expected
  const message = error instanceof Error ? error.message : String(error)
  if (expected instanceof RegExp) return expected.test(message)
  return codeOf(error) === expected || message.includes(expected)
}

function failure(message: string, cause?: unknown): Error {
  const error = new AssertionError({ message })
  error.cause = cause
  return error
}

function told(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

function toldExpected(expected: string | RegExp | ErrorClass): string {
  return typeof expected === 'function' ? expected.name : String(expected)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

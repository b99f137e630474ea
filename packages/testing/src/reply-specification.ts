import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import { type ReplyDef, ReplyError } from '@malha/mesh'
import { carried } from './contract-data.ts'
import { differingError, type ErrorClass } from './expectation.ts'
import { type ReplyGiven, replyOf, type ReplyResult, runReply } from './reply-run.ts'

/** What a reply is to answer. What is left out is to be absent. */
export type ExpectedReply = {
  /** The one answer, as the function gives it: its schema's input. */
  reply?: unknown
  /** Of a streaming reply: its parts in their order, also those before an error. @default none */
  replies?: readonly unknown[]
  /** A code or a part of the message, a pattern of the message, or the error's class. @default none */
  error?: string | RegExp | ErrorClass
  /** What an error of the contract says. @default anything */
  data?: unknown
}

/** What is to be true before the request arrives. */
export interface ReplySpecification {
  /** What the reply's context says. What is left out gets a plain value. */
  given(given: ReplyGiven): ReplySpecification
  /** Asks with `data`, the contract's input, taken through its codec, `upcast` and schema first. */
  when(data: unknown): ReplyOutcome
}

/** A reply at work. */
export interface ReplyOutcome {
  /**
   * Waits for the answer and compares.
   * @throws AssertionError with the differences
   */
  // oxlint-disable-next-line unicorn/no-thenable -- given/when/then is the vocabulary; awaiting an outcome is a type error
  then(expected: ExpectedReply): Promise<void>
}

export function specifyReply(def: ReplyDef, known: ReplyGiven): ReplySpecification {
  return {
    given: (given) => specifyReply(def, { ...known, ...given }),
    when(data) {
      const running = runReply(def, data, known)
      return {
        // oxlint-disable-next-line unicorn/no-thenable -- see ReplyOutcome
        async then(expected: ExpectedReply) {
          if (typeof expected !== 'object')
            throw new TypeError('a specification ends in .then({ reply, error }), not in an await of when(…)')
          const failure = await explainReply(def, await running, expected)
          if (failure) throw failure
        },
      }
    },
  }
}

async function explainReply(def: ReplyDef, result: ReplyResult, expected: ExpectedReply): Promise<Error | undefined> {
  const wrong = differingError('reply', result, expected.error)
  if (wrong) return wrong
  const { error } = result
  if (expected.data !== undefined && !(error instanceof ReplyError && isDeepStrictEqual(error.data, expected.data)))
    return differs(error instanceof ReplyError ? error.data : error, expected.data, 'the error says something else')
  const wanted = 'reply' in expected ? [expected.reply] : (expected.replies ?? [])
  const replies = await Promise.all(wanted.map((one) => possible(def, one)))
  if (isDeepStrictEqual(result.replies, replies)) return undefined
  return differs(result.replies, replies, 'the reply answered something else')
}

async function possible({ contract }: ReplyDef, reply: unknown): Promise<unknown> {
  try {
    return await carried(replyOf(contract), reply)
  } catch (cause) {
    throw new TypeError(`the expected reply can never be given: ${String(cause)}`, { cause })
  }
}

function differs(actual: unknown, expected: unknown, what: string): Error {
  const error = new AssertionError({ actual, expected, operator: 'deepStrictEqual' })
  error.message = `${what}\n${error.message}`
  return error
}

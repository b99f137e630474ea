import type { HandlerDef, ReplyDef } from '@malha/mesh'
import { explain, type Expected } from './expectation.ts'
import { type Given, runHandler } from './handler-run.ts'
import { type ReplySpecification, specifyReply } from './reply-specification.ts'

/** What is to be true before the message arrives. */
export interface Specification {
  /** What the handler's context says. What is left out gets a plain value. */
  given(given: Given): Specification
  /** Starts the handler with `data`, the contract's input, taken through its codec, `upcast` and schema first. */
  when(data: unknown): Outcome
}

/** A handler at work. */
export interface Outcome {
  /**
   * Waits for the handler and compares.
   * @throws AssertionError with the differences
   */
  // oxlint-disable-next-line unicorn/no-thenable -- given/when/then is the vocabulary; awaiting an outcome is a type error
  then(expected: Expected): Promise<void>
}

/**
 * A specification of one handler or one reply, without NATS: `await specification(service.handlers.x).given({ attempt: 2 })
 * .when(data).then({ published: [[contract, data]] })`. Data and outputs are validated as the mesh does it; what a
 * handler published before it threw counts as not published, as the mesh sends nothing then. A reply answers:
 * `await specification(service.replies.x).when(data).then({ reply })`, a streaming one `{ replies }`.
 */
export function specification(handler: HandlerDef | undefined): Specification
export function specification(reply: ReplyDef | undefined): ReplySpecification
export function specification(of: HandlerDef | ReplyDef | undefined): Specification | ReplySpecification {
  if (!of) throw new TypeError('specification: there is no such handler or reply')
  return 'contract' in of ? specifyReply(of, {}) : specify(of, {})
}

function specify(handler: HandlerDef, known: Given): Specification {
  return {
    given: (given) => specify(handler, { ...known, ...given }),
    when(data) {
      const running = runHandler(handler, data, known)
      return {
        // oxlint-disable-next-line unicorn/no-thenable -- see Outcome
        async then(expected: Expected) {
          if (typeof expected !== 'object')
            throw new TypeError('a specification ends in .then({ published, error }), not in an await of when(…)')
          const failure = await explain(await running, expected)
          if (failure) throw failure
        },
      }
    },
  }
}

import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import type { AggregateDef, EventContracts, NewEvent, PastEvent } from './aggregate.ts'

/** What a command leads to, to be compared. */
export interface Decision<Events extends EventContracts> {
  /** @throws AssertionError when it leads to other events, or is refused */
  thenEvents(expected: readonly NewEvent<Events>[]): void
  /** @throws AssertionError when it is not refused, or in other words: a part of them, or a pattern */
  thenRefused(expected: string | RegExp): void
}

/**
 * A specification of an aggregate, without NATS: `given(account, [{ type: 'opened', data }]).when(command)
 * .thenEvents([…])`.
 */
export function given<State, Command, Events extends EventContracts>(
  def: AggregateDef<State, Command, Events>,
  events: readonly PastEvent<NoInfer<Events>>[] = [],
): { when(command: Command): Decision<Events> } {
  return {
    when(command) {
      const state = events.reduce((before, event) => def.evolve(before, event), def.initial())
      const outcome = decide(() => def.decide(state, command))
      return {
        thenEvents(expected) {
          if ('error' in outcome) throw failure(`it was refused: ${told(outcome.error)}`, expected, outcome.error)
          if (!isDeepStrictEqual(outcome.events, expected))
            throw failure('it led to other events', expected, outcome.events)
        },
        thenRefused(expected) {
          if ('events' in outcome) throw failure('it was not refused', expected, outcome.events)
          const words = told(outcome.error)
          const isMet = typeof expected === 'string' ? words.includes(expected) : expected.test(words)
          if (!isMet) throw failure(`it was refused in other words: ${words}`, expected, words)
        },
      }
    },
  }
}

type Outcome<Event> = { events: readonly Event[] } | { error: unknown }

function decide<Event>(run: () => readonly Event[]): Outcome<Event> {
  try {
    return { events: run() }
  } catch (error) {
    return { error }
  }
}

function failure(message: string, expected: unknown, actual: unknown): AssertionError {
  const error = new AssertionError({ actual, expected, operator: 'deepStrictEqual' })
  error.message = `${message}\n${error.message}`
  return error
}

const told = (error: unknown): string => (error instanceof Error ? error.message : String(error))

import {
  type Facts,
  handlersOf,
  isExcused,
  mustFail,
  NONE,
  type Outcome,
  outcomeOf,
  wasLost,
} from '../../history/facts.ts'
import { type Rule, violation, type Violation } from '../violation.ts'

/**
 * A resolved publish means stored, and one id is one event. A publish whose outcome is unknown may be stored, once; one
 * that was refused for good is not. Outputs of handlers have no outcome of their own: each message that a handler is done
 * with has each of its outputs, and each output stands in its stream once, whatever runs again. (Without
 * `effects: 'once'` that is promised within the duplicate window, which the streams of a run set longer than the run.)
 * Messages for later are judged by `delayed-in-time`.
 */
export const storedOnce: Rule = {
  name: 'stored-once',
  claim: 'What was acknowledged is stored exactly once, and so is each output of a message that was handled.',
  *violations(facts) {
    for (let message = 0; message < facts.ids.size; message++) {
      const says =
        facts.due.at(message) === NONE
          ? fault(outcomeOf(facts, message), facts.stored.at(message), isExcused(facts, message))
          : undefined
      if (says !== undefined) yield violation(facts, message, says)
      if (facts.stored.at(message) === 0 || isExcused(facts, message)) continue
      yield* outputs(facts, message)
      yield* ending(facts, message)
    }
  },
}

function fault(outcome: Outcome, stored: number, isExcused: boolean): string | undefined {
  if (outcome === 'refused' && stored > 0) return 'is stored although its publish was refused for good'
  if (outcome === 'acknowledged' && stored === 0 && !isExcused) return 'was acknowledged and no stream has it'
  return stored > 1 ? `is stored ${stored} times` : undefined
}

function* outputs(facts: Facts, message: number): Generator<Violation> {
  const done = handlersOf(facts, message).filter(
    (handler) => !mustFail(facts, message, handler) && facts.letters.at(message, handler) === 0,
  )
  for (const [output, type] of facts.outputTypes.entries()) {
    const due = done.filter((handler) => facts.handlers[handler]!.output === type)
    const there = facts.outputs.at(message, output)
    if (there === due.length || handlersOf(facts, message).length === 0) continue
    if (there < due.length && wasLost(facts, facts.types.number(type), facts.invokedAt.at(message))) continue
    yield violation(facts, message, `has ${there} outputs ${type} stored in place of ${due.length}`, {
      ...(due.length === 1 && { handler: due[0]! }),
    })
  }
}

/** What comes of a message in the end by way of others, whichever stream they are in. */
function* ending(facts: Facts, message: number): Generator<Violation> {
  const end = facts.end.at(message)
  if (end === NONE || facts.endings.at(end) === 1) return
  const invokedAt = facts.invokedAt.at(message)
  if (facts.lost.some(({ at }) => invokedAt < at)) return
  if (facts.handlers.keys().some((handler) => facts.letters.at(message, handler) > 0)) return
  const [type] = facts.ends.text(end).split(' ')
  yield violation(facts, message, `has led to ${facts.endings.at(end)} ${type} in place of 1`)
}

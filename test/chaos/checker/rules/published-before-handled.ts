import { type Facts, handlersOf, isExcused, isPublished, NONE, outcomeOf } from '../../history/facts.ts'
import { type Rule, violation } from '../violation.ts'

/**
 * A message comes from a publish: one outside of handlers that was begun, or the output of another message, which says so
 * (`ce-causationid`) and is there itself. A handler has effects only of its own type, with the data of that message (or of the
 * one it is an output of), and not of what was refused or is in no stream.
 */
export const publishedBeforeHandled: Rule = {
  name: 'published-before-handled',
  claim: 'Nothing is stored and nothing has an effect that nobody published.',
  *violations(facts) {
    for (const { id, handler } of facts.strangers)
      yield violation(facts, facts.ids.number(id), `was handled by ${handler}, which nobody knows`)
    for (const { message, handler, of } of facts.mixed)
      if (facts.cause.at(message) !== of && !isExcused(facts, message))
        yield violation(facts, message, `was handled with the data of ${facts.ids.text(of)}`, { handler, others: [of] })
    for (let message = 0; message < facts.ids.size; message++) {
      if (isExcused(facts, message)) continue
      const mine = handlersOf(facts, message)
      const by = facts.handlers.keys().find((handler) => facts.effects.at(message, handler) > 0)
      const stranger = facts.handlers
        .keys()
        .find((handler) => facts.effects.at(message, handler) > 0 && !mine.includes(handler))
      const says = fault(facts, message, by !== undefined)
      if (says !== undefined) yield violation(facts, message, says, by === undefined ? {} : { handler: by })
      else if (stranger !== undefined)
        yield violation(facts, message, 'had an effect of a handler that does not take its type', { handler: stranger })
    }
  },
}

function fault(facts: Facts, message: number, hadEffect: boolean): string | undefined {
  const isStored = facts.stored.at(message) > 0
  if (!hadEffect && !isStored) return undefined
  const what = isStored ? 'is stored' : 'had an effect'
  if (!isPublished(facts, message)) return `${what} although nobody published it`
  if (!hadEffect || isStored) return undefined
  const outcome = outcomeOf(facts, message)
  if (outcome === 'refused') return 'had an effect although its publish was refused for good'
  // What was acknowledged and is not stored is for another rule.
  return outcome === 'unknown' && facts.due.at(message) === NONE ? 'had an effect although no stream has it' : undefined
}

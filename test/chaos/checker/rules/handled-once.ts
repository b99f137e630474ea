import { type Facts, handlersOf, isOwed, mustFail, NONE } from '../../history/facts.ts'
import type { HandlerFacts } from '../../history/final-state.ts'
import { type Rule, violation } from '../violation.ts'

/**
 * The promise is "at least once, until there is a dead letter"; what makes an effect one effect is that the outside world
 * knows `ctx.id` again, as partners do that honour an idempotency key. A handler whose outside world does not
 * (`repeats`) may be seen more often, until its inbox knows the message, and one without effects (`none`) must have been
 * called. Of one whose calls nobody writes down (`unseen`) only its output can be judged, which is another rule.
 *
 * What is owed follows from the stream: an acknowledged publish is stored, and so may one of an unknown outcome be. If
 * it is, its handlers get it like any other; if not, and after a refused one, there must be nothing
 * (`published-before-handled`). Those that must fail are judged by `dead-letters`.
 */
export const handledOnce: Rule = {
  name: 'handled-once',
  claim: 'What was acknowledged or is stored has exactly one effect or one dead letter for each handler of its type.',
  *violations(facts) {
    for (let message = 0; message < facts.ids.size; message++) {
      const owed = isOwed(facts, message)
      for (const handler of handlersOf(facts, message)) {
        if (mustFail(facts, message, handler)) continue
        const says = (owed ? fault(facts, message, handler) : undefined) ?? tooOften(facts, message, handler)
        if (says !== undefined) yield violation(facts, message, says, { handler })
      }
    }
  },
}

function fault(facts: Facts, message: number, handler: number): string | undefined {
  const effects = facts.effects.at(message, handler)
  const letters = facts.letters.at(message, handler)
  const called = facts.deliveries.at(message, handler)
  if (letters > 1) return `has ${letters} dead letters`
  const { effect } = facts.handlers[handler]!
  if (effect === 'unseen') return undefined
  const seen = effect === 'none' ? called : effects
  if (letters === 0 && seen === 0) return `was lost: ${missing(effect, called)}, and there is no dead letter`
  return letters === 1 && effects > 0 ? `has ${times(effects)} and a dead letter` : undefined
}

/** Another process may have looked into the inbox just before it was told. */
const APART_MS = 1000

/** Holds of every message, whatever became of its stream. */
function tooOften(facts: Facts, message: number, handler: number): string | undefined {
  const effects = facts.effects.at(message, handler)
  const { effect } = facts.handlers[handler]!
  if (effect === 'once') return effects > 1 ? `has ${times(effects)}` : undefined
  const handledAt = facts.handledAt.at(message)
  const againMs = Math.round(facts.begunAt.at(message) - handledAt)
  if (effect !== 'repeats' || handledAt === NONE || againMs < APART_MS) return undefined
  return `was handled again ${againMs} ms after its inbox knew it`
}

function missing(effect: HandlerFacts['effect'], called: number): string {
  if (called === 0) return 'it never came to its handler'
  return effect === 'none' ? 'its handler was not called' : `its handler began ${called} times and had no effect`
}

const times = (effects: number): string => (effects === 1 ? 'an effect' : `${effects} effects`)

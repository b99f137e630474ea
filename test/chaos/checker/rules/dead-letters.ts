import { type Facts, handlersOf, isExcused, isOwed, mustFail } from '../../history/facts.ts'
import { CORRECTION } from '../../history/correction.ts'
import { type Rule, violation } from '../violation.ts'

/**
 * A handler's rejections are known beforehand (`rejectEvery`). Everything else it retries until it is done, so any other
 * dead letter is one too many. The archive's copy of a letter is judged with the other rows.
 */
export const deadLetters: Rule = {
  name: 'dead-letters',
  claim:
    'What a handler must reject has exactly one dead letter, and no effect before it is sent again to one that is mended; then it has exactly one, and it is that of its correction where somebody made one. Nothing else has a dead letter.',
  *violations(facts) {
    for (let message = 0; message < facts.ids.size; message++) {
      if (isExcused(facts, message)) continue
      const mine = isOwed(facts, message) ? handlersOf(facts, message) : []
      for (const handler of facts.handlers.keys()) {
        const says = fault(facts, message, { handler, isIts: mine.includes(handler) })
        if (says !== undefined) yield violation(facts, message, says, { handler })
      }
    }
  },
}

type By = { handler: number; /** Whether the handler has to deal with it. */ isIts: boolean }

function fault(facts: Facts, message: number, { handler, isIts }: By): string | undefined {
  const letters = facts.letters.at(message, handler)
  if (!isIts) return letters > 0 ? 'has a dead letter of a handler that never had it to handle' : undefined
  if (!mustFail(facts, message, handler)) return letters > 0 ? 'has a dead letter and must not fail' : undefined
  const effects = facts.effects.at(message, handler)
  if (letters === 0)
    return effects > 0 ? 'must be rejected and had an effect' : 'must be rejected and has no dead letter'
  if (letters > 1) return `has ${letters} dead letters`
  const { attempts = 0, effect } = facts.handlers[handler]!
  if (facts.isMended) {
    if (effect === 'once' && effects !== 1)
      return effects === 0 ? 'was sent again and has no effect' : `was sent again and has ${effects} effects`
    const says = effect === 'once' ? correctionFault(facts, message) : undefined
    if (says !== undefined) return says
  } else if (effects > 0) return 'has a dead letter and an effect'
  const called = facts.deliveries.at(message, handler)
  return called < attempts ? `has a dead letter after ${called} of ${attempts} attempts` : undefined
}

/** Who was not told whether a correction was stored may see the one or the other. */
function correctionFault({ corrections, corrected }: Facts, message: number): string | undefined {
  const isCorrected = corrected.at(message) > 0
  const correction = corrections.at(message)
  if (correction === CORRECTION.certain && !isCorrected) return 'was corrected, and sent again as it was'
  return correction === CORRECTION.none && isCorrected ? 'was sent again with a correction that nobody made' : undefined
}

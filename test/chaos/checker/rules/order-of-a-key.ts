import { type Column, column } from '../../history/columns.ts'
import { type Facts, isOwed, NONE } from '../../history/facts.ts'
import { type Rule, violation, type Violation } from '../violation.ts'

/**
 * With `order: 'key'` an event of a key begins only when the one before it in the stream is done or a dead letter. So the
 * first effect of an event never comes after that of a later event of its key. What a killed process was at may be handled
 * again, which the outside world sees as a repeat: only first effects count. A dead letter is passed over, also when it was sent again.
 *
 * The order is that of the stream. Where a publisher waits for each event of a key before it publishes the next, that is
 * the order of `n`: so it must be in the stream, and it serves for what was acknowledged and is not in one.
 */
export const orderOfAKey: Rule = {
  name: 'order-of-a-key',
  claim:
    'A handler with order by key has the first effects of a key in the order of the stream, which is that of their publishes.',
  *violations(facts) {
    for (const [handler, effects] of facts.firstEffects.entries()) yield* overtaken(facts, handler, effects)
    yield* misplaced(facts)
  },
}

/** What was acknowledged before the next of its key was published, and stands behind it in their stream. */
function* misplaced(facts: Facts): Generator<Violation> {
  const { type, key, n, seq, life } = facts
  const isKnown = (message: number): boolean =>
    n.at(message) !== NONE &&
    key.at(message) !== NONE &&
    seq.at(message) !== NONE &&
    facts.due.at(message) === NONE &&
    facts.acknowledged.at(message) > 0
  const messages = Int32Array.from(range(facts.ids.size).filter(isKnown))
  messages.sort((a, b) => type.at(a) - type.at(b) || key.at(a) - key.at(b) || n.at(a) - n.at(b))
  for (const [index, message] of messages.entries()) {
    if (index === 0) continue
    const before = messages[index - 1]!
    const isNext = type.at(before) === type.at(message) && key.at(before) === key.at(message)
    if (isNext && life.at(before) === life.at(message) && seq.at(before) > seq.at(message))
      yield violation(facts, before, `is stored behind the next of its key`, { others: [message] })
  }
}

function* range(end: number): Generator<number> {
  for (let number = 0; number < end; number++) yield number
}

function* overtaken(facts: Facts, handler: number, effects: Column): Generator<Violation> {
  const furthest = column('int', NONE)
  for (let index = 0; index < effects.length; index++) {
    const message = effects.at(index)
    const key = facts.key.at(message)
    if (key === NONE || !isOwed(facts, message) || facts.letters.at(message, handler) > 0) continue
    const ahead = furthest.at(key)
    if (ahead === NONE || isBefore(facts, ahead, message)) furthest.set(key, message)
    else {
      const says = `came out of order${place(facts, message)}: ${facts.ids.text(ahead)}${place(facts, ahead)} had its effect before it`
      yield violation(facts, message, says, { handler, others: [ahead] })
    }
  }
}

function isBefore(facts: Facts, one: number, other: number): boolean {
  const a = facts.life.at(one)
  const b = facts.life.at(other)
  if (a === NONE || b === NONE) return facts.n.at(one) < facts.n.at(other)
  const epochs = facts.lives[a]!.epoch - facts.lives[b]!.epoch
  return epochs < 0 || (epochs === 0 && facts.seq.at(one) < facts.seq.at(other))
}

function place(facts: Facts, message: number): string {
  const n = facts.n.at(message)
  return n === NONE ? '' : ` (number ${n} of its key)`
}

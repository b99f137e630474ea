import { type Facts, isExcused, NONE, outcomeOf } from '../../history/facts.ts'
import { type Rule, violation } from '../violation.ts'

/** How far the clock of the run and that of the broker may drift apart. */
const APART_MS = 50

/**
 * What is delayed comes once and not before its time, by the broker's clock: it knows the time it was told (`malha-due`) and
 * wrote when it was stored. What it was told must be what the publisher asked for, and no effect may come before that.
 * That it is then handled is for `handled-once`. A run ends only when all that was delayed is due.
 */
export const delayedInTime: Rule = {
  name: 'delayed-in-time',
  claim: 'What is published for later comes once, never before its time, and is not lost.',
  *violations(facts) {
    for (let message = 0; message < facts.ids.size; message++) {
      const says = facts.due.at(message) === NONE ? undefined : fault(facts, message)
      if (says !== undefined) yield violation(facts, message, says)
    }
  },
}

function fault(facts: Facts, message: number): string | undefined {
  const stored = facts.stored.at(message)
  const outcome = outcomeOf(facts, message)
  if (stored === 0 && outcome === 'acknowledged' && !isExcused(facts, message))
    return 'was acknowledged for later and never came'
  if (stored > 0 && outcome === 'refused') return 'came although its publish was refused for good'
  if (stored > 1) return `came ${stored} times`
  const storedAt = facts.storedAt.at(message)
  const told = facts.storedDue.at(message)
  if (told !== NONE && storedAt < told) return `came ${rounded(told - storedAt)} early`
  const due = facts.due.at(message)
  if (storedAt !== NONE && storedAt < due - APART_MS) return `came ${rounded(due - storedAt)} early`
  const effectAt = facts.effectAt.at(message)
  return effectAt !== NONE && effectAt < due - APART_MS ? `had its effect ${rounded(due - effectAt)} early` : undefined
}

const rounded = (ms: number): string => `${Math.ceil(ms)} ms`

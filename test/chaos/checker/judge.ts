import type { Facts } from '../history/facts.ts'
import { rules } from './rules.ts'
import type { Violation } from './violation.ts'

/** What one rule found. */
export type Finding = {
  rule: string
  claim: string
  /** How many violations there are. */
  count: number
  /** The first of them. */
  violations: Violation[]
}

/** Beyond so many of a rule, violations are counted only. */
const SHOWN = 20

/** Holds every rule against a run: one finding for each rule, also where it found nothing. */
export function judge(facts: Facts): Finding[] {
  return rules.map(({ name, claim, violations }) => {
    const finding: Finding = { rule: name, claim, count: 0, violations: [] }
    for (const violation of violations(facts)) {
      finding.count++
      if (finding.violations.length < SHOWN) finding.violations.push(violation)
    }
    return finding
  })
}

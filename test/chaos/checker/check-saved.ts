import { type Facts, isExcused } from '../history/facts.ts'
import { joinFacts } from '../history/join-facts.ts'
import { readSavedRun, savedLines, type SavedLine } from '../history/saved-run.ts'
import { evidenceOf } from './evidence.ts'
import { judge } from './judge.ts'
import type { Violation } from './violation.ts'

/** What the rules say of a run. */
export type Verdict = {
  /** Whether every rule holds. */
  holds: boolean
  messages: number
  /** Of these, messages of a stream that an operator deleted after they were published: of them it is only judged what must never be. */
  excused: number
  rules: { rule: string; claim: string; count: number; violations: Shown[] }[]
  /** Lines that a SIGKILL cut, which nobody could read. */
  torn: string[]
}

/** A violation with the lines that show it. */
export type Shown = Violation & { lines: SavedLine[] }

/**
 * Judges a saved run. As long as its files are what they were, the answer is the same.
 * @throws when the folder holds no run
 */
export function checkSaved(run: string): Verdict {
  const { operations, final, torn } = readSavedRun(run)
  const facts = joinFacts(operations, final)
  const findings = judge(facts)
  const evidence = evidenceOf(
    findings.flatMap(({ violations }) => violations),
    savedLines(run),
  )
  return {
    // Of nothing nothing is shown.
    holds: facts.ids.size > 0 && findings.every(({ count }) => count === 0),
    messages: facts.ids.size,
    excused: excusedOf(facts),
    rules: findings.map((finding) => ({
      ...finding,
      violations: finding.violations.map((violation) => ({ ...violation, lines: evidence.get(violation) ?? [] })),
    })),
    torn: torn.map(({ file, line }) => `${file}:${line}`),
  }
}

function excusedOf(facts: Facts): number {
  let count = 0
  for (let message = 0; message < facts.ids.size; message++) if (isExcused(facts, message)) count++
  return count
}

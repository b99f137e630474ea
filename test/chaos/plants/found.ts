import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Verdict } from '../checker/check-saved.ts'
import type { Plant } from './plants.ts'

/** Where the processes of a run write down which messages a plant hit. */
export const plantedFile = (run: string): string => join(run, 'planted.jsonl')

/** What became of a plant. */
export type Found = {
  name: string
  does: string
  rule: string
  /** The messages that were hit. */
  hit: string[]
  /** Those of them that a violation of the rule names. */
  named: string[]
}

/** Holds what a plant did against what the rules say. */
export function foundOf({ name, does, rule }: Plant, run: string, { rules }: Verdict): Found {
  const lines = existsSync(plantedFile(run)) ? readFileSync(plantedFile(run), 'utf8').split('\n').filter(Boolean) : []
  const hit = [...new Set(lines.map((line) => (JSON.parse(line) as { id: string }).id))]
  const violations = rules.find((one) => one.rule === rule)?.violations ?? []
  const named = new Set(violations.map(({ message }) => message.id))
  return { name, does, rule, hit, named: hit.filter((id) => named.has(id)) }
}

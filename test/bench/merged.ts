import type { BenchResult } from './result.ts'

/**
 * Results with those of scenarios that were measured again in place of theirs.
 * @throws Error where both are not of one machine, of the same versions and of whole runs: figures of the two would stand
 * side by side that cannot be compared
 */
export function merged(before: BenchResult, again: BenchResult): BenchResult {
  const conditions = ({ machine, versions, quick }: BenchResult): string => JSON.stringify([machine, versions, quick])
  if (conditions(before) !== conditions(again))
    throw new Error(
      `these were measured on ${conditions(again)}, the others of the file on ${conditions(before)}; write them to another file, or measure all`,
    )
  const names = new Set(before.scenarios.map(({ name }) => name))
  return {
    ...before,
    scenarios: [
      ...before.scenarios.map((old) => again.scenarios.find(({ name }) => name === old.name) ?? old),
      ...again.scenarios.filter(({ name }) => !names.has(name)),
    ],
  }
}

import type { RunResult } from './run.ts'

/** What speaks against a run beside the violations of its rules, a sentence each; empty when it shows what it says. */
export function doubts({
  rest,
  unhealed,
  planted,
  soak,
}: Pick<RunResult, 'rest' | 'unhealed' | 'planted' | 'soak'>): string[] {
  return [
    ...(rest.isQuiet ? [] : ['it did not come to rest']),
    ...unhealed,
    ...(planted ? plantDoubts(planted) : []),
    ...(soak?.growth ?? []).flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`)),
  ]
}

function plantDoubts({ name, rule, hit, named }: NonNullable<RunResult['planted']>): string[] {
  if (hit.length === 0)
    return [`the plant ${name} hit no message, so this run shows nothing of the rule ${rule}; let it run longer`]
  return named.length > 0
    ? []
    : [`the plant ${name} hit ${hit.length} messages, and the rule ${rule} names none of them`]
}

/** Whether every rule held in a run that can be believed. */
export const holds = (result: RunResult): boolean => result.verdict.holds && doubts(result).length === 0

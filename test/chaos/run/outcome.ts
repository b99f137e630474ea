import type { RunResult } from './run.ts'

/** The part of a run that an operator may take out of the judgement. */
const MOST_EXCUSED = 0.35

/** What speaks against a run beside the violations of its rules, a sentence each; empty when it shows what it says. */
export function doubts({
  rest,
  unhealed,
  idle,
  unheard,
  misends,
  crashes,
  refused,
  verdict,
  planted,
  soak,
}: RunResult): string[] {
  const { messages, excused } = verdict
  return [
    ...(messages > 0 ? [] : ['nothing was published']),
    ...(excused <= messages * MOST_EXCUSED ? [] : [`of ${excused} messages it is not judged whether they were lost`]),
    ...(rest.isQuiet ? [] : ['it did not come to rest']),
    ...unhealed,
    ...idle.map((name) => `${name} never did its harm`),
    ...unheard.map((type) => `nothing of ${type} was acknowledged after everything was healed`),
    ...Object.entries(misends).map(([why, count]) => `${count} publishes ended with ${why}`),
    ...Object.entries(crashes).map(([name, count]) => `${name} ended ${count} times of an error that nobody caught`),
    ...refused.map((line) => `a broker refused what a user needs: ${line}`),
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

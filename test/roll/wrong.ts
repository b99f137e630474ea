import type { RollResult } from './run.ts'

/** All that must not be of a roll, by its own rules and those of chaos: a sentence each, none when all is well. */
export function wrongOf({ breaches, verdict, rest, repeatedCalls }: RollResult): string[] {
  return [
    ...breaches.map(({ rule, says }) => `${rule}: ${says}`),
    ...verdict.rules.flatMap(({ rule, violations }) => violations.map(({ says }) => `${rule}: ${says}`)),
    ...(rest.isQuiet ? [] : rest.open.map((open) => `at the end there was still ${open}`)),
    ...(repeatedCalls === 0 ? [] : [`partners were called ${repeatedCalls} times again for what they had done`]),
    ...(verdict.messages > 0 ? [] : ['nothing was published']),
  ]
}

import type { RollResult } from './run.ts'

/**
 * All that must not be of a roll, by its own rules and those of chaos: a sentence each, none when all is well.
 * @param on `busy`: on a machine that others use too, where an answer or an effect may take any time: then it is not judged
 * how long a request took, nor that an instance said in time (503) that the broker was slow, or did not say that it was ready
 */
export function wrongOf({ breaches, verdict, rest }: RollResult, on?: 'busy'): string[] {
  const isSlow = ({ rule, says }: RollResult['breaches'][number]): boolean =>
    (rule === 'in-time' && says.startsWith('p99')) ||
    (rule === 'api-answers' && says.includes('answered 503')) ||
    (rule === 'stays-ready' && says.endsWith('no answer'))
  return [
    ...breaches.filter((breach) => on !== 'busy' || !isSlow(breach)).map(({ rule, says }) => `${rule}: ${says}`),
    ...verdict.rules.flatMap(({ rule, violations }) => violations.map(({ says }) => `${rule}: ${says}`)),
    ...(rest.isQuiet ? [] : rest.open.map((open) => `at the end there was still ${open}`)),
    ...(verdict.messages > 0 ? [] : ['nothing was published']),
  ]
}

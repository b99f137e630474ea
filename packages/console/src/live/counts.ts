import type { Letters, LetterState } from '@malha/operations'

const states = ['open', 'redriven', 'resolved', 'late', 'discarded'] as const satisfies readonly LetterState[]

/** How many letters are in each state, from the index. */
export function countsOf(letters: Letters): Record<LetterState, number> {
  const counts = states.map((state) => [state, letters.list({ state }, { limit: 1 }).total] as const)
  return Object.fromEntries(counts) as Record<LetterState, number>
}

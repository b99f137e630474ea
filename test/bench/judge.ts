import type { Limits } from './scenario.ts'

export type Met = 'goal' | 'floor' | 'none'

/** `rate` and `ratioTo…` must be at least so much, everything else at most. */
export const isAtLeast = (name: string): boolean => name === 'rate' || name.startsWith('ratioTo')

/** Whether a figure keeps a limit; one that was not measured does not. */
export const holds = (name: string, limit: number, measured: number | undefined): boolean =>
  measured !== undefined && (isAtLeast(name) ? measured >= limit : measured <= limit)

/** Which of both all figures keep. A goal without limits is not met: there is nothing it could say. */
export function judge(floor: Limits, goal: Limits, measured: (name: string) => number | undefined): Met {
  const keeps = (limits: Limits): boolean =>
    Object.entries(limits).every(([name, limit]) => holds(name, limit, measured(name)))
  if (!keeps(floor)) return 'none'
  return Object.keys(goal).length > 0 && keeps(goal) ? 'goal' : 'floor'
}

import type { RollResult } from './run.ts'

/** What is kept of a roll, in figures. */
export type RollSummary = Omit<RollResult, 'verdict' | 'rest' | 'breaches' | 'waits' | 'pods'> & {
  messages: number
  /** Rules that did not hold, by name: how often. */
  broken: Record<string, number>
  longestDrainMs: number
  handlers: {
    handler: string
    messages: number
    p50Ms: number
    p99Ms: number
    maxMs: number
    again: number
    unseen: number
    waited: number
    handedOver: number
  }[]
}

export function summaryOf(result: RollResult): RollSummary {
  const { from, to, loadMs, centers, events, answers, endToEnd, brokers, repeatedCalls } = result
  const { verdict, breaches, waits, pods } = result
  const broken = new Map<string, number>()
  for (const { rule } of breaches) broken.set(rule, (broken.get(rule) ?? 0) + 1)
  for (const { rule, count } of verdict.rules) if (count > 0) broken.set(rule, (broken.get(rule) ?? 0) + count)
  return {
    from,
    to,
    loadMs,
    centers,
    events,
    answers,
    endToEnd,
    brokers,
    repeatedCalls,
    messages: verdict.messages,
    broken: Object.fromEntries(broken),
    longestDrainMs: Math.max(0, ...pods.map(({ drainMs }) => drainMs)),
    handlers: waits.map(({ handler, messages, p50Ms, p99Ms, maxMs, again, unseen, waited, handedOver }) => ({
      handler,
      messages,
      p50Ms,
      p99Ms,
      maxMs,
      again,
      unseen,
      waited: waited.length,
      handedOver: handedOver.length,
    })),
  }
}

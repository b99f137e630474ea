import type { Evidence } from './evidence.ts'
import { quantile, waitsOf } from './waits.ts'

/** Something that must not be of a roll, in one sentence. */
export type Breach = { rule: string; says: string }

/** How long a request takes until everybody has done his part. */
export type EndToEnd = { requests: number; unfinished: number; p50Ms: number; p99Ms: number; maxMs: number }

const P99_MS = 2000
/** Other refusals are of connections, which a busy machine is slow to open. */
const LACKED_RIGHT = / Violation - Subject /

/** From the moment at which the client has its answer until the stream has `center.onboarded`, the last effect of all. */
export function endToEnd({ met, stored }: Pick<Evidence, 'met' | 'stored'>): EndToEnd {
  const done = new Map<string, number>()
  for (const { type, subject, time } of stored)
    if (type === 'center.onboarded') done.set(subject.slice(subject.lastIndexOf('.') + 1), time)
  const took: number[] = []
  for (const [id, at] of met.accepted) if (done.has(id)) took.push(Math.max(0, done.get(id)! - at))
  return {
    requests: met.accepted.size,
    unfinished: met.accepted.size - took.length,
    p50Ms: quantile(took, 0.5),
    p99Ms: quantile(took, 0.99),
    maxMs: quantile(took, 1),
  }
}

/** What must hold of a roll, beside the rules of chaos; the sentences of what does not. */
export function breachesOf(evidence: Evidence): Breach[] {
  const { met, ended, unready, refusals } = evidence
  const { p99Ms, unfinished } = endToEnd(evidence)
  const waits = waitsOf(evidence)
  return [
    ...met.failures.map((says) => ({ rule: 'api-answers', says })),
    ...unready.map(({ pod, why }) => ({ rule: 'stays-ready', says: `${pod} was not ready any more: ${why}` })),
    ...[...new Set(refusals.filter((line) => LACKED_RIGHT.test(line)))].map((says) => ({
      rule: 'rights-suffice',
      says,
    })),
    ...(p99Ms < P99_MS ? [] : [{ rule: 'in-time', says: `p99 end to end is ${p99Ms} ms` }]),
    ...(unfinished === 0 ? [] : [{ rule: 'in-time', says: `${unfinished} accepted requests were never finished` }]),
    ...waits.flatMap(({ handler, waited, ackWaitMs }) =>
      waited.map((message) => ({
        rule: 'nothing-waits',
        says: `${message} waited for the ack_wait of ${handler}, ${ackWaitMs} ms`,
      })),
    ),
    ...ended.flatMap(({ pod, exit, isCutOff }) => {
      if (isCutOff) return [{ rule: 'ends-by-itself', says: `${pod} had to be killed at the end of its grace period` }]
      return exit.code === 0 ? [] : [{ rule: 'ends-by-itself', says: `${pod} ended with ${exit.code ?? exit.signal}` }]
    }),
  ]
}

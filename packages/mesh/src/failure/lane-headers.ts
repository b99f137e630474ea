import type { HeaderPairs } from '../message/headers.ts'

/** What a retry on a handler's lane carries beside the event's own headers. Format 1; docs/reference/wire.md. */
export const LANE_HEADER = {
  format: 'malha-lane-format',
  stream: 'malha-origin-stream',
  epoch: 'malha-origin-epoch',
  seq: 'malha-origin-seq',
  subject: 'malha-origin-subject',
  publishedAt: 'malha-origin-time',
  storedAt: 'malha-origin-stored-ns',
  attempts: 'malha-attempts',
  failures: 'malha-failures',
  hop: 'malha-lane-hop',
  firstFailureAt: 'malha-first-failure-ms',
  attemptTimes: 'malha-attempt-times',
  previousAttempt: 'malha-previous-attempt',
} as const

/** What a lane or a letter carries of the original: all but the server's and the mesh's own. */
export function ownHeaders(pairs: HeaderPairs): [string, string][] {
  return pairs.filter(([name]) => !/^(nats-|malha-)/i.test(name)).map(([name, value]) => [name, value])
}

/** Times of attempts, unix ms, as a header. */
export const timesText = (times: readonly number[]): string => times.map((ms) => new Date(ms).toISOString()).join(' ')

/** The opposite of {@link timesText}. */
export const timesOf = (text: string): number[] => text.split(' ').map(Date.parse).filter(Number.isFinite)

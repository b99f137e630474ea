import type { Source } from '../consume/delivery.ts'
import type { HeaderLookup } from '../message/envelope.ts'
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
  crashes: 'malha-crashes',
  firstFailureAt: 'malha-first-failure-ms',
  attemptTimes: 'malha-attempt-times',
  previousAttempt: 'malha-previous-attempt',
} as const

/** What a lane or a letter carries of the original: all but the server's and the mesh's own. */
export const ownHeaders = (pairs: HeaderPairs): HeaderPairs => pairs.filter(([name]) => !NOT_OWN.test(name))

const NOT_OWN = /^(nats-|malha-)/i

/** Times of attempts, unix ms, as a header. */
export const timesText = (times: readonly number[]): string => times.map((ms) => new Date(ms).toISOString()).join(' ')

/** The opposite of {@link timesText}. */
export const timesOf = (text: string): number[] => text.split(' ').map(Date.parse).filter(Number.isFinite)

/** Which event a retry on a lane is of; undefined where it does not say so, which no mesh would have written. */
export function laneSource(message: HeaderLookup): Source | undefined {
  const epoch = laneCount(message, LANE_HEADER.epoch)
  const seq = laneCount(message, LANE_HEADER.seq)
  const publishedAt = new Date(message.header(LANE_HEADER.publishedAt) ?? Number.NaN)
  const { stream, subject, storedAt } = LANE_HEADER
  const [streamName, subjectOfIt, nanos] = [stream, subject, storedAt].map((name) => message.header(name) ?? '')
  const isWhole = epoch !== undefined && seq !== undefined && !Number.isNaN(publishedAt.getTime())
  if (!isWhole || !STREAM.test(streamName!) || !SUBJECT.test(subjectOfIt!) || !NANOS.test(nanos!)) return undefined
  return { stream: streamName!, epoch, seq, subject: subjectOfIt!, publishedAt, storedAt: nanos! }
}

const STREAM = /^[^\s.*>]+$/
const SUBJECT = /^[^\s*>]+$/
const NANOS = /^\d{1,20}$/

/** A number in a header of a lane; undefined where there is none that a mesh would have written. */
export function laneCount(message: HeaderLookup, name: string): number | undefined {
  const text = message.header(name) ?? ''
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined
}

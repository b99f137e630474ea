import { receivedHeaders } from '../../message/envelope.ts'
import type { StoredMessage } from '../../read/stored-message.ts'
import { type Credit, type Delivery, READY } from '../delivery.ts'
import type { Claim } from './claim.ts'
import type { KeptRetry } from './partition-record.ts'

export type StoredDeliveryOptions = { stream: string; epoch: number; retry: KeptRetry | undefined; claim: Claim }

/** Of what was not delivered by a consumer, or has given its credit back for good. */
export const noCredit: Credit = { release: () => undefined, reclaim: () => undefined }

/** An event that was read from the stream by its sequence, with what is known of earlier attempts at it. */
export function storedDelivery(
  stored: StoredMessage,
  { stream, epoch, retry, claim }: StoredDeliveryOptions,
): Delivery {
  const storedAt = nanosOf(stored.time)
  const headers = receivedHeaders(stored.pairs.map(([name, value]) => [name, [value]]))
  return {
    via: 'event',
    credit: noCredit,
    deliveredSeq: stored.seq,
    storedUs: Number(storedAt.slice(0, -3)),
    reply: '',
    deliveryCount: 1,
    headers,
    header: (name) => headers[name],
    pairs: stored.pairs,
    payload: stored.payload,
    source: { stream, epoch, seq: stored.seq, subject: stored.subject, publishedAt: new Date(stored.time), storedAt },
    attempts: retry?.attempts ?? 0,
    failures: retry?.failures ?? 0,
    hop: 0,
    failingSince: retry && failingSince(retry),
    attemptTimes: [],
    previousAttempt: undefined,
    lastRecordAt: -Infinity,
    startedAt: 0,
    isTouched: false,
    wasSentToLane: false,
    isMisplaced: false,
    crashes: 0,
    onTrial: false,
    isInDoubt: false,
    phase: READY,
    claim,
  }
}

/** Another instance's clock may be wrong by hours, so only how long it had failed when it was due is taken from what it wrote. */
const failingSince = ({ firstFailureAt, dueAt }: KeptRetry): number | undefined =>
  firstFailureAt === 0 ? undefined : performance.now() - Math.max(0, dueAt - firstFailureAt)

/** RFC 3339 with up to nine decimals as unix ns, as the server names it in the subject of an ack. */
export function nanosOf(time: string): string {
  const [, seconds = '', decimals = '', zone = ''] = /^([^.Z+]+)(?:\.(\d+))?(Z|[+-].*)$/.exec(time) ?? []
  const whole = BigInt(Date.parse(`${seconds}${zone}`)) * 1_000_000n
  return String(whole + BigInt(decimals.padEnd(9, '0').slice(0, 9)))
}

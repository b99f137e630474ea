import type { Msg } from '@nats-io/transport-node'
import type { SpanContext } from '@opentelemetry/api'
import { MeshError } from '../errors.ts'
import type { Decision } from '../failure/decide.ts'
import { type Envelope, firstValues, type ReceivedHeaders } from '../message/envelope.ts'
import type { HeaderPairs } from '../message/headers.ts'
import { spanContextOf } from '../observe/spans.ts'
import { LANE_HEADER } from '../failure/lane-headers.ts'
import { parseAckSubject } from './ack-subject.ts'
import { headerPairsOf } from './header-pairs.ts'
import type { Claim } from './ordered/claim.ts'

/** Where an event stands in its stream; a retry on the lane keeps it. */
export type Source = {
  stream: string
  epoch: number
  seq: number
  subject: string
  publishedAt: Date
  /** The same in unix ns: a stream that lost its end gives its sequences to other events, but never the time too. */
  storedAt: string
}

/**
 * Where a delivery is in this process:
 * `ready` waits for a slot, `running` has one, `held` waits for its next attempt, `leaked` never came back.
 */
export type Phase =
  | { kind: 'ready' }
  | { kind: 'running' }
  | { kind: 'held'; timer: NodeJS.Timeout; /** Of `performance.now()`. */ dueAt: number }
  | { kind: 'leaked' }

/** A message that is dead: why, and what is known of it. */
export type Burial = { error: unknown; envelope?: Envelope; decision: Extract<Decision, { kind: 'bury' }> }

/** What a delivery takes up of its durable's credit: given back when it is done or waits, taken again when it goes on. */
export type Credit = { release(): void; reclaim(): void }

/** One message in this process's hands, from delivery until it is settled. */
export type Delivery = {
  readonly via: 'event' | 'lane'
  credit: Credit
  /** Sequence in the stream it was delivered from. */
  readonly deliveredSeq: number
  /** When that stream stored it, unix ns as the server writes it. */
  readonly storedAt: string
  /** Changes when the server delivers it again while it is here. */
  reply: string
  deliveryCount: number
  readonly headers: ReceivedHeaders
  /** As they came, repeated ones too. */
  readonly pairs: HeaderPairs
  readonly payload: Uint8Array
  readonly source: Source
  /** Attempts begun before the one to come. */
  attempts: number
  /** Attempts that count towards `retry.attempts`. */
  failures: number
  /** How often it went to the lane. */
  hop: number
  /** Of the first attempt that failed, by `performance.now()`. */
  failingSince: number | undefined
  readonly attemptTimes: string[]
  previousAttempt: SpanContext | undefined
  lastRecordAt: number
  /** An attempt failed in this process, so its counters are newer than the server's copy. */
  isTouched: boolean
  /** It is dead, but its letter is not stored yet. */
  burial?: Burial
  /** Of an ordered handler: the right to work on its partition. */
  claim?: Claim
  phase: Phase
}

/** Where a message was delivered from. */
export type Origin = Pick<Delivery, 'via' | 'credit'> & {
  epoch: number
  /** The server's clock, unix ms: a lane's headers go by it. @default the clock of this process */
  serverNow?: () => number
}

/**
 * Reads a delivered message. `epoch` is the event stream's.
 * @throws MeshError MESH_UNDECODABLE when it carries no ack subject, which only a misconfigured durable can cause
 */
export function readDelivery(msg: Msg, { via, epoch, credit, serverNow = Date.now }: Origin): Delivery {
  const info = parseAckSubject(msg.reply ?? '')
  if (!info) throw new MeshError('MESH_UNDECODABLE', `a delivery of ${msg.subject} without an ack subject`)
  const pairs = headerPairsOf(msg)
  const headers = firstValues(pairs)
  const source =
    via === 'event'
      ? {
          stream: info.stream,
          epoch,
          seq: info.streamSeq,
          subject: msg.subject,
          publishedAt: info.publishedAt,
          storedAt: info.storedAt,
        }
      : laneSource(headers)
  const number = (name: string): number => (via === 'lane' ? Number(headers[name]) || 0 : 0)
  return {
    via,
    credit,
    deliveredSeq: info.streamSeq,
    storedAt: info.storedAt,
    reply: msg.reply!,
    deliveryCount: info.deliveryCount,
    headers,
    pairs,
    payload: msg.data,
    source,
    attempts: number(LANE_HEADER.attempts),
    failures: number(LANE_HEADER.failures),
    hop: number(LANE_HEADER.hop),
    failingSince: failingSince(number(LANE_HEADER.firstFailureAt), serverNow),
    attemptTimes: via === 'lane' ? (headers[LANE_HEADER.attemptTimes] ?? '').split(' ').filter(Boolean) : [],
    previousAttempt: via === 'lane' ? spanContextOf(headers[LANE_HEADER.previousAttempt]) : undefined,
    lastRecordAt: 0,
    isTouched: false,
    phase: { kind: 'ready' },
  }
}

const failingSince = (firstFailureAt: number, serverNow: () => number): number | undefined =>
  firstFailureAt === 0 ? undefined : performance.now() - Math.max(0, serverNow() - firstFailureAt)

/**
 * What a redelivery is known by. The time is part of it: a stream that lost its end, or was made anew, gives the same
 * sequences to other events.
 */
export const deliveryName = ({ via, deliveredSeq, storedAt }: Delivery): string => `${via}:${deliveredSeq}:${storedAt}`

function laneSource(headers: ReceivedHeaders): Source {
  return {
    stream: headers[LANE_HEADER.stream] ?? '',
    epoch: Number(headers[LANE_HEADER.epoch]),
    seq: Number(headers[LANE_HEADER.seq]),
    subject: headers[LANE_HEADER.subject] ?? '',
    publishedAt: new Date(headers[LANE_HEADER.publishedAt] ?? 0),
    storedAt: headers[LANE_HEADER.storedAt] ?? '',
  }
}

import type { Msg } from '@nats-io/transport-node'
import type { SpanContext } from '@opentelemetry/api'
import { MeshError } from '../errors.ts'
import type { Decision } from '../failure/decide.ts'
import type { Envelope, HeaderLayout, ReceivedHeaders } from '../message/envelope.ts'
import type { HeaderPairs } from '../message/headers.ts'
import { spanContextOf } from '../observe/spans.ts'
import { type RunOf, runOf } from '../run/run-headers.ts'
import { LANE_HEADER, laneCount, laneSource, timesOf } from '../failure/lane-headers.ts'
import { type AckInfo, AckReader } from './ack-subject.ts'
import type { Claim } from './ordered/claim.ts'
import { type MessageHeaders, readHeaders } from './read-headers.ts'

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
 * `ready` waits for a slot, `running` has one, `held` waits for its next attempt, `leaked` never came back,
 * `answered`: the server was told what becomes of it.
 */
export type Phase =
  | { kind: 'ready' }
  | { kind: 'running' }
  | { kind: 'held'; timer: NodeJS.Timeout; /** Of `performance.now()`. */ dueAt: number }
  | { kind: 'leaked'; /** How often it was delivered here again since. */ again: number }
  | { kind: 'answered' }

export const READY: Phase = { kind: 'ready' }
export const RUNNING: Phase = { kind: 'running' }
export const ANSWERED: Phase = { kind: 'answered' }

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
  /**
   * When that stream stored it, unix us. A redelivery is known by both: a stream that lost its end, or was made anew, gives
   * the same sequences to other events.
   */
  readonly storedUs: number
  /** Changes when the server delivers it again while it is here. */
  reply: string
  deliveryCount: number
  readonly headers: ReceivedHeaders
  /** One of them, by its name in lower case: nothing else is made for it. */
  header(name: string): string | undefined
  readonly layout?: HeaderLayout
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
  /** When the latest attempts that failed began, unix ms. */
  attemptTimes: readonly number[]
  previousAttempt: SpanContext | undefined
  lastRecordAt: number
  /** Of its latest attempt, by `performance.now()`. */
  startedAt: number
  /** An attempt failed in this process, so its counters are newer than the server's copy. */
  isTouched: boolean
  /** A copy of it may wait on the lane. */
  wasSentToLane: boolean
  /** It came on a lane and does not say which event it is of, so `source` is its place there. */
  readonly isMisplaced: boolean
  /** It is dead, but its letter is not stored yet. */
  burial?: Burial
  /** Of an ordered handler: the right to work on its partition. */
  claim?: Claim
  /** A run sent it. */
  run?: RunOf | undefined
  /** How often its process ended while it was begun, as far as is known here (suspects.ts). */
  crashes: number
  /** A suspect whose turn has come. */
  onTrial: boolean
  /** It was in hand for longer than the server waits: another process may have had it meanwhile. */
  isInDoubt: boolean
  phase: Phase
}

/** Where a message was delivered from. */
export type Origin = Pick<Delivery, 'via' | 'credit'> & {
  epoch: number
  /** One for all of a consumer. */
  acks?: AckReader
  /** The server's clock, unix ms: a lane's headers go by it. @default the clock of this process */
  serverNow?: () => number
}

/**
 * Reads a delivered message. `epoch` is the event stream's.
 * @throws MeshError MESH_UNDECODABLE when it carries no ack subject, which only a misconfigured durable can cause
 */
export function readDelivery(msg: Msg, origin: Origin): Delivery {
  const info = (origin.acks ?? new AckReader()).read(msg.reply ?? '')
  if (!info) throw new MeshError('MESH_UNDECODABLE', `a delivery of ${msg.subject} without an ack subject`)
  return new Arrival(msg, info, origin)
}

const NO_TIMES: readonly number[] = []

/**
 * A message as it was delivered. Its headers and its payload stay bytes until they are asked for: what waits lives long,
 * and everything made for it would make collecting garbage dear.
 */
class Arrival implements Delivery {
  readonly via: Delivery['via']
  credit: Credit
  readonly deliveredSeq: number
  readonly storedUs: number
  reply: string
  deliveryCount: number
  attempts = 0
  failures = 0
  hop = 0
  failingSince: number | undefined = undefined
  attemptTimes: readonly number[] = NO_TIMES
  previousAttempt: SpanContext | undefined = undefined
  lastRecordAt = -Infinity
  startedAt = 0
  isTouched = false
  wasSentToLane = false
  isMisplaced = false
  burial?: Burial
  claim?: Claim
  run: RunOf | undefined = undefined
  crashes = 0
  onTrial = false
  isInDoubt = false
  phase: Phase = READY
  readonly #msg: Msg
  readonly #info: AckInfo
  readonly #epoch: number
  #source: Source | undefined
  #payload: Uint8Array | undefined
  #headers: MessageHeaders | undefined
  #record: ReceivedHeaders | undefined

  constructor(msg: Msg, info: AckInfo, { via, epoch, credit, serverNow = Date.now }: Origin) {
    this.#msg = msg
    this.#info = info
    this.#epoch = epoch
    this.via = via
    this.credit = credit
    this.deliveredSeq = info.streamSeq
    this.storedUs = info.storedUs
    this.reply = msg.reply!
    this.deliveryCount = info.deliveryCount
    if (via === 'lane') this.#takeFromLane(serverNow)
  }

  get source(): Source {
    return (this.#source ??= this.#deliveredFrom())
  }

  get payload(): Uint8Array {
    return (this.#payload ??= this.#msg.data)
  }

  get headers(): ReceivedHeaders {
    return (this.#record ??= this.#read().record())
  }

  get pairs(): HeaderPairs {
    return this.#read().pairs()
  }

  get layout(): HeaderLayout {
    return this.#read().layout
  }

  header(name: string): string | undefined {
    return this.#read().header(name)
  }

  #deliveredFrom(): Source {
    const { stream, streamSeq, publishedAt, storedAt } = this.#info
    return { stream, epoch: this.#epoch, seq: streamSeq, subject: this.#msg.subject, publishedAt, storedAt }
  }

  #read(): MessageHeaders {
    return (this.#headers ??= readHeaders(this.#msg, this.payload))
  }

  /** A retry on the lane says which event it is of, and what came before it. */
  #takeFromLane(serverNow: () => number): void {
    this.#source = laneSource(this)
    this.isMisplaced = this.#source === undefined
    const number = (name: string): number => laneCount(this, name) ?? 0
    this.attempts = number(LANE_HEADER.attempts)
    this.failures = number(LANE_HEADER.failures)
    this.hop = number(LANE_HEADER.hop)
    this.crashes = number(LANE_HEADER.crashes)
    this.failingSince = failingSince(number(LANE_HEADER.firstFailureAt), serverNow)
    this.attemptTimes = timesOf(this.header(LANE_HEADER.attemptTimes) ?? '')
    this.run = runOf(this, `${this.deliveredSeq}@${this.storedUs}`)
    this.previousAttempt = spanContextOf(this.header(LANE_HEADER.previousAttempt))
  }
}

const failingSince = (firstFailureAt: number, serverNow: () => number): number | undefined =>
  firstFailureAt === 0 ? undefined : performance.now() - Math.max(0, serverNow() - firstFailureAt)

import { decodeAttribute, HEADER, LETTER_HEADER, type Names, type ReceivedHeaders } from '@malha/mesh'
import { fingerprintOf } from './fingerprint.ts'

/** What is dead: a message that its handler gave up, events that aged out before it was past them, an event that a spool could not send. */
export type LetterKind = 'message' | 'expired' | 'spooled'

/**
 * `open`: nobody has dealt with it, or the last redrive failed again. `redriven`: its handler has it. `resolved`: the handler did it.
 * `discarded`: somebody said that it need not be done. `late`: its handler had done it after all when the letter was written already.
 */
export type LetterState = 'open' | 'redriven' | 'resolved' | 'discarded' | 'late'

/** A dead letter as it stands in its stream, without its payload. */
export type Letter = {
  /** Its number in the stream of dead letters. */
  readonly seq: number
  /** Names it for good, without the namespace: `dlq.<durable>.<STREAM>.<epoch>.<seq>@<stored, unix ns>`. */
  readonly subject: string
  readonly kind: LetterKind
  /** When it was written, RFC 3339. */
  readonly at: string
  /** A code of the mesh, of the system (`ECONNREFUSED`), `HTTP_<status>`, or the class of the user's error. */
  readonly code: string
  readonly reason: string
  readonly errorClass: string | undefined
  /** Those that failed in the same way have the same: handler, error and message without what differs from one to the next. */
  readonly group: string
  /** What they have in common, for people. */
  readonly groupReason: string
  /** Undefined where a spool wrote it: no handler saw the event. */
  readonly service: string | undefined
  readonly handler: string | undefined
  readonly serviceVersion: string | undefined
  readonly attempts: number
  /** RFC 3339, the latest 20. */
  readonly attemptTimes: readonly string[]
  /** Of the original: `stream` as the server names it, `seq` a range such as `17-20` when events expired. */
  readonly origin: {
    readonly stream: string
    readonly epoch: number | undefined
    readonly seq: string
    readonly subject: string
    readonly publishedAt: string | undefined
  }
  /** `ce-id` of the original and so on; undefined where it does not say. */
  readonly id: string | undefined
  readonly type: string | undefined
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly traceId: string | undefined
  readonly payloadBytes: number
}

/** A stored message that may be a letter. */
export type StoredLetter = {
  readonly seq: number
  readonly subject: string
  readonly time: string
  readonly headers: ReceivedHeaders
  readonly payloadBytes: number
}

/** Reads what a letter says of itself. What it does not say, or says wrongly, is left empty: nothing is refused here. */
export function readLetter(names: Names, stored: StoredLetter): Letter {
  const { headers } = stored
  const text = (name: string): string | undefined => (headers[name] ? decodeAttribute(headers[name]) : undefined)
  const subject = names.strip(stored.subject)
  const [, durable = ''] = subject.split('.')
  const code = text(LETTER_HEADER.code) ?? 'unknown'
  const reason = text(LETTER_HEADER.reason) ?? ''
  const errorClass = text(LETTER_HEADER.errorClass)
  return {
    seq: stored.seq,
    subject,
    kind: durable === '_spool' ? 'spooled' : code === 'MESH_EXPIRED' ? 'expired' : 'message',
    at: headers[LETTER_HEADER.at] ?? stored.time,
    code,
    reason,
    errorClass,
    ...fingerprintOf({ durable, code, errorClass, reason }),
    service: text(LETTER_HEADER.service),
    handler: text(LETTER_HEADER.handler),
    serviceVersion: text(LETTER_HEADER.serviceVersion),
    attempts: Number(headers[LETTER_HEADER.attempts]) || 0,
    attemptTimes: headers[LETTER_HEADER.attemptTimes]?.split(' ') ?? [],
    origin: originIn((name) => headers[name]),
    id: text(HEADER.id),
    type: headers[HEADER.type],
    key: text(HEADER.partitionKey),
    correlationId: text(HEADER.correlationId) ?? text(HEADER.id),
    traceId: /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(headers[HEADER.traceparent] ?? '')?.[1],
    payloadBytes: stored.payloadBytes,
  }
}

/** Where the original stands, or stood, by the letter's headers. */
export function originIn(header: (name: string) => string | undefined): Letter['origin'] {
  const epoch = Number(header(LETTER_HEADER.epoch))
  return {
    stream: header(LETTER_HEADER.stream) ?? '',
    epoch: Number.isSafeInteger(epoch) ? epoch : undefined,
    seq: header(LETTER_HEADER.seq) ?? '',
    subject: header(LETTER_HEADER.subject) ?? '',
    publishedAt: header(LETTER_HEADER.publishedAt),
  }
}

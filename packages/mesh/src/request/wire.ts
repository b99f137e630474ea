import type { Msg, MsgHdrs } from '@nats-io/transport-node'
import { type ReceivedHeaders, receivedHeaders } from '../message/envelope.ts'

/** Header names of requests and replies. Those with `Nats-` are the NATS micro protocol's (its ADR 32). */
export const REQUEST_HEADER = {
  /** How long the requester still waits, ms. Not a time of day: the clocks of two machines need not agree. */
  timeout: 'malha-timeout-ms',
  /** Of a streaming request: how many parts may be on their way at once. */
  window: 'malha-window',
  /** Of a streaming request: after how much silence each side takes the other for gone, ms. */
  idle: 'malha-idle-ms',
  /** What an answer is: see {@link AnswerKind}. Without it, an answer of a plain client: `value`, or `error` where it says so. */
  reply: 'malha-reply',
  /** Which part of a stream this is, from 1; else how many there were so far. */
  part: 'malha-part',
  errorCode: 'malha-error-code',
  retryAfter: 'malha-retry-after-ms',
  error: 'Nats-Service-Error',
  errorNumber: 'Nats-Service-Error-Code',
} as const

/** `alive` says that the next part is still coming, `end` that there is none. */
export type AnswerKind = 'value' | 'part' | 'alive' | 'end' | 'error'

/**
 * The queue group of every responder. It is the micro protocol's default, so that one request reaches one responder, also
 * while a service is renamed or one in another language joins.
 */
export const QUEUE_GROUP = 'q'

/** A message of either side, taken out of the client's hands. */
export type Incoming = {
  readonly subject: string
  /** Where to answer; empty when nobody waits. Never a subject of the server's own (`$JS.API.…`), where an answer would be a command. */
  readonly reply: string
  readonly headers: ReceivedHeaders
  readonly payload: Uint8Array
  /** Nobody subscribes to what was asked. */
  readonly isNoResponder: boolean
}

/** Headers that the client cannot read count as none: thrown on, they would end its read loop. */
export function incoming(msg: Msg): Incoming {
  const read = readableHeaders(msg)
  return {
    subject: msg.subject,
    reply: msg.reply?.startsWith('$') === false ? msg.reply : '',
    headers: receivedHeaders(read),
    payload: msg.data,
    isNoResponder: read?.code === 503 && msg.data.length === 0,
  }
}

function readableHeaders(msg: Msg): MsgHdrs | undefined {
  try {
    return msg.headers
  } catch {
    return undefined
  }
}

/** What an answer is, by its headers. */
export function kindOf({ headers }: Incoming): AnswerKind {
  const kind = headers[REQUEST_HEADER.reply]
  if (kind === 'part' || kind === 'alive' || kind === 'end' || kind === 'error') return kind
  return headers['nats-service-error-code'] === undefined && headers['nats-service-error'] === undefined
    ? 'value'
    : 'error'
}

/** A whole number from a header; undefined where it is missing, malformed or has more than 15 digits. */
export function wholeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}

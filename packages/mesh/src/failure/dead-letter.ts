import type { NatsConnection } from '@nats-io/transport-node'
import type { Delivery } from '../consume/delivery.ts'
import { encodeAttribute, HEADER, headerBytes, type HeaderPairs, MOST_HEADER_BYTES } from '../message/headers.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import type { ExpiredRange, MessagePlace, Names } from '../topology/names.ts'
import { ownHeaders, timesText } from './lane-headers.ts'

/** What a letter says beside the original's bytes and headers. Format 1; docs/reference/wire.md. */
export const LETTER_HEADER = {
  format: 'malha-dlq-format',
  /** `left-out` where the server could not take it. */
  payload: 'malha-dlq-payload',
  /** `left-out` where the server could not take those of the event. */
  headers: 'malha-dlq-headers',
  reason: 'malha-dlq-reason',
  code: 'malha-dlq-code',
  errorClass: 'malha-dlq-error-class',
  stack: 'malha-dlq-stack',
  stream: 'malha-dlq-stream',
  epoch: 'malha-dlq-epoch',
  seq: 'malha-dlq-seq',
  subject: 'malha-dlq-subject',
  publishedAt: 'malha-dlq-published-at',
  durable: 'malha-dlq-durable',
  service: 'malha-dlq-service',
  handler: 'malha-dlq-handler',
  serviceVersion: 'malha-dlq-service-version',
  attempts: 'malha-dlq-attempts',
  attemptTimes: 'malha-dlq-attempt-times',
  at: 'malha-dlq-at',
  spool: 'malha-dlq-spool',
  queuedAt: 'malha-dlq-queued-at',
} as const

export type LetterOffice = {
  nc: NatsConnection
  pipeline: PublishPipeline
  names: Names
  service: string
  serviceVersion: string
  handler: string
}

/** Why a message is dead. */
export type Cause = { code: string; message: string; error: unknown }

const PUBLISH_MS = 30_000
/** Encoded, bytes. With the rest of a letter's headers this stays within what publishers leave free (HEADROOM_BYTES). */
const MAX_REASON_BYTES = 4096
const MAX_STACK_BYTES = 6144

/**
 * Stores the letter of one message: one for good, however often it is tried, since its subject holds one and refuses a
 * second. Resolves when it is stored; only then may the original be termed.
 */
export async function writeLetter(office: LetterOffice, delivery: Delivery, cause: Cause): Promise<void> {
  const { source, run } = delivery
  await store(office, {
    place: source,
    run: run?.replayOf === undefined ? undefined : run.run,
    seq: String(source.seq),
    source,
    payload: delivery.payload,
    cause,
    own: ownHeaders(delivery.pairs),
    attempts: delivery.attempts,
    attemptTimes: delivery.attemptTimes,
  })
}

/** Stores one letter for a range of sequences that aged out before the handler was past them. The events are gone. */
export async function writeExpiredLetter(office: LetterOffice, range: ExpiredRange): Promise<void> {
  await store(office, {
    place: range,
    seq: `${range.from}-${range.to}`,
    source: { stream: range.stream, epoch: range.epoch, subject: '', publishedAt: undefined },
    payload: new Uint8Array(),
    cause: {
      code: 'MESH_EXPIRED',
      message: `sequences ${range.from} to ${range.to} of ${range.stream} aged out before this handler was past them`,
      error: undefined,
    },
    own: [],
    attempts: 0,
    attemptTimes: [],
  })
}

type Letter = {
  place: MessagePlace | ExpiredRange
  /** It is a new message, and the event itself may have a letter too. */
  run?: string | undefined
  seq: string
  source: { stream: string; epoch: number; subject: string; publishedAt: Date | undefined }
  payload: Uint8Array
  cause: Cause
  own: HeaderPairs
  attempts: number
  attemptTimes: readonly number[]
}

async function store(office: LetterOffice, letter: Letter): Promise<void> {
  const { source, cause } = letter
  const durable = office.names.durable(office.service, office.handler)
  const subject = office.names.deadLetter(durable, letter.place, letter.run)
  const pairs: [string, string | undefined][] = [
    [LETTER_HEADER.format, '1'],
    [LETTER_HEADER.reason, reasonOf(cause.message)],
    [LETTER_HEADER.code, encodeAttribute(cause.code)],
    [
      LETTER_HEADER.errorClass,
      cause.error instanceof Error ? encodeAttribute(cause.error.constructor.name) : undefined,
    ],
    [LETTER_HEADER.stack, stackOf(cause.error)],
    [LETTER_HEADER.stream, source.stream],
    [LETTER_HEADER.epoch, String(source.epoch)],
    [LETTER_HEADER.seq, letter.seq],
    [LETTER_HEADER.subject, source.subject],
    [LETTER_HEADER.publishedAt, source.publishedAt?.toISOString()],
    [LETTER_HEADER.durable, durable],
    [LETTER_HEADER.service, office.service],
    [LETTER_HEADER.handler, office.handler],
    [LETTER_HEADER.serviceVersion, encodeAttribute(office.serviceVersion)],
    [LETTER_HEADER.attempts, String(letter.attempts)],
    [LETTER_HEADER.attemptTimes, timesText(letter.attemptTimes)],
    [LETTER_HEADER.at, new Date().toISOString()],
    [HEADER.msgId, subject],
  ]
  const headers = [
    ...letter.own,
    ...pairs.filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== ''),
  ]
  try {
    await office.pipeline.publish({ subject, ...fitting(office.nc, letter.payload, headers), timeoutMs: PUBLISH_MS })
  } catch (error) {
    if (!isStoredAlready(error)) throw error
  }
}

type Body = { payload: Uint8Array; headers: HeaderPairs }

/**
 * What the server takes of a letter. Publishers of the mesh leave room for it; another client's event may not. Then first
 * the stack goes, then headers that are not of the mesh, then all that are not the letter's own, then the payload, each
 * said in a header: the event itself is still in its stream.
 */
export function fitting(nc: NatsConnection, payload: Uint8Array, headers: HeaderPairs): Body {
  const limit = nc.info?.max_payload ?? Infinity
  const brief = headers.filter(([name]) => name !== LETTER_HEADER.stack)
  const without = (kept: RegExp): HeaderPairs => [
    ...brief.filter(([name]) => kept.test(name)),
    [LETTER_HEADER.headers, 'left-out'],
  ]
  const less = [brief, without(/^(ce-|malha-|nats-|traceparent$)/i), without(/^(malha-dlq-|nats-msg-id$)/i)] as const
  const fits = (some: HeaderPairs, bytes: number): boolean =>
    headerBytes(some) <= MOST_HEADER_BYTES && bytes + headerBytes(some) <= limit
  const whole = [headers, ...less].find((some) => fits(some, payload.length))
  if (whole) return { payload, headers: whole }
  const most = less.find((some) => fits(some, 0)) ?? less[2]
  return { payload: new Uint8Array(), headers: [...most, [LETTER_HEADER.payload, 'left-out']] }
}

/** `discard_new_per_subject` refused a second letter: the first one stands. */
export function isStoredAlready(error: unknown): boolean {
  return (
    error instanceof PublishRefused && error.errCode === ERR_CODE.storeFailed && error.message.includes('per subject')
  )
}

/** Cut between characters: one of another script takes up to twelve bytes, and half of one cannot be read. */
export function reasonOf(message: string): string {
  let encoded = ''
  for (const char of message) {
    const next = encodeAttribute(char)
    if (encoded.length + next.length > MAX_REASON_BYTES) break
    encoded += next
  }
  return encoded
}

/** Base64, since a header cannot hold line ends. */
function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !error.stack) return undefined
  return Buffer.from(error.stack).subarray(0, MAX_STACK_BYTES).toString('base64')
}

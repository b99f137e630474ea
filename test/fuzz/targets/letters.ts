import { isDeepStrictEqual } from 'node:util'
import { decodeAttribute, LETTER_HEADER, names } from '@malha/mesh'
import { storedDelivery } from '../../../packages/mesh/src/consume/ordered/stored-delivery.ts'
import type { Delivery } from '../../../packages/mesh/src/consume/delivery.ts'
import { type LetterOffice, writeExpiredLetter, writeLetter } from '../../../packages/mesh/src/failure/dead-letter.ts'
import { ownHeaders } from '../../../packages/mesh/src/failure/lane-headers.ts'
import { writeSpoolLetter } from '../../../packages/mesh/src/failure/spool-letter.ts'
import { type Envelope, envelopeHeaders } from '../../../packages/mesh/src/message/envelope.ts'
import { headerBytes } from '../../../packages/mesh/src/message/headers.ts'
import type { BatchMember } from '../../../packages/mesh/src/publish/atomic-batch.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { overTheWire } from './over-the-wire.ts'

/** A letter has the bytes and headers of what it is about, and what it says of it is read back. */
export const letters: Target = {
  name: 'letters',
  async run(bytes) {
    const input = new Input(bytes)
    await input.pick([aboutMessage, aboutRange, aboutSpooled])(input)
  },
  seeds: ['', '\x01', '\x02', '\0\x05abcde\0\0\x01\x03a:b'].map((text) => new TextEncoder().encode(text)),
}

/** What a letter is written with; what it publishes is kept. */
function office(input: Input): LetterOffice & { sent: BatchMember[] } {
  const sent: BatchMember[] = []
  const maxPayload = input.flag() ? 1_048_576 : 2000 + input.upTo(20_000)
  const pipeline = { publish: async (request: BatchMember) => void sent.push(request) }
  return {
    nc: { info: { max_payload: maxPayload } } as unknown as LetterOffice['nc'],
    pipeline: pipeline as unknown as LetterOffice['pipeline'],
    names: names(input.pick(['', 'staging'])),
    service: 'provider',
    serviceVersion: input.text(20) || '0',
    handler: 'senninha',
    sent,
  }
}

/** Pairs as they can arrive. */
function someHeaders(input: Input): [string, string][] {
  const name = (): string => input.text(16).replaceAll(/[^!-9;-~]/g, '')
  const value = (): string =>
    input
      .text(40)
      .toWellFormed()
      .replaceAll(/[\r\n]/g, '')
      .trim()
  const known = (): string => input.pick(['ce-id', 'Ce-Type', 'malha-attempts', 'Nats-Msg-Id', 'MALHA-DLQ-REASON'])
  return input.list(6, () => [input.flag() ? known() : name(), value()])
}

function someError(input: Input): { code: string; message: string; error: unknown } {
  const message = input.flag() ? input.text(255) : input.text(60).repeat(200)
  const error = input.pick([new Error(message), message, undefined, new TypeError(message, { cause: 1 }), null, Object])
  if (error instanceof Error && input.flag()) error.stack = input.text(255).repeat(40)
  return { code: input.text(30) || 'X', message, error }
}

async function aboutMessage(input: Input): Promise<void> {
  const at = office(input)
  const pairs = someHeaders(input)
  const cause = someError(input)
  const publishedAt = new Date(input.integer() % 8.64e15)
  const source = {
    stream: 'JOBS',
    epoch: input.integer(),
    seq: input.integer(),
    subject: 'job.made',
    publishedAt,
    storedAt: '7',
  }
  const payload = input.flag() ? Buffer.from(input.bytes()) : Buffer.alloc(input.upTo(20_000))
  const stored = { subject: 'job.made', seq: 1, time: '2026-11-21T12:00:09.12Z', headers: {}, pairs, payload }
  const delivery: Delivery = {
    ...storedDelivery(stored, { stream: 'JOBS', epoch: 1, retry: undefined, claim: undefined as never }),
    source,
    attempts: input.upTo(100),
    attemptTimes: input.list(20, () => publishedAt.getTime()),
  }
  await writeLetter(at, delivery, cause)
  const { back, headers } = arrived(at, delivery.payload)
  keepsHeaders(at, ownHeaders(pairs), { back, headers, payload: delivery.payload })
  saysWhy(headers, cause)
  said(headers, LETTER_HEADER.seq, String(source.seq))
  said(headers, LETTER_HEADER.epoch, String(source.epoch))
  said(headers, LETTER_HEADER.publishedAt, publishedAt.toISOString())
  said(headers, LETTER_HEADER.attempts, String(delivery.attempts))
  said(headers, LETTER_HEADER.attemptTimes, delivery.attemptTimes.map((ms) => new Date(ms).toISOString()).join(' '))
  said(headers, LETTER_HEADER.serviceVersion, at.serviceVersion)
}

async function aboutRange(input: Input): Promise<void> {
  const at = office(input)
  const range = { stream: 'JOBS', epoch: input.integer(), from: input.integer(), to: input.integer() }
  await writeExpiredLetter(at, range)
  const { headers } = arrived(at, new Uint8Array())
  said(headers, LETTER_HEADER.seq, `${range.from}-${range.to}`)
  said(headers, LETTER_HEADER.code, 'MESH_EXPIRED')
}

async function aboutSpooled(input: Input): Promise<void> {
  const at = office(input)
  const envelope: Envelope = {
    id: input.text(30) || 'i',
    type: 'job.made',
    version: 1,
    source: `/${input.text(20)}`,
    time: '2026-11-21T12:00:09.120Z',
    key: input.flag() ? input.text(30) : undefined,
    correlationId: input.text(30),
    causationId: undefined,
    contentType: 'application/json',
  }
  const headers = input.list(4, (): [string, string] => [
    `x-${input.byte()}`,
    input
      .text(30)
      .toWellFormed()
      .replaceAll(/[\r\n]/g, '')
      .trim(),
  ])
  const out = {
    envelope,
    subject: 'job.made',
    stream: 'JOBS',
    once: false,
    expect: undefined,
    timeoutMs: 1,
    headers,
    delay: undefined,
    traceparent: undefined,
  }
  const head = JSON.stringify({ v: 1, out, trace: {}, queuedAt: input.integer() % 8.64e15 })
  const cause = someError(input)
  const entry = {
    seq: input.integer(),
    stream: 'JOBS',
    head,
    payload: input.rest(),
    death: { code: cause.code, reason: cause.message, at: '2026-11-21T12:00:09.120Z' },
  }
  await writeSpoolLetter(at, 'spool-1', entry)
  const { back, headers: first } = arrived(at, entry.payload)
  const original = [...envelopeHeaders(JSON.parse(JSON.stringify(envelope)) as Envelope), ...headers]
  keepsHeaders(at, original, { back, headers: first, payload: entry.payload })
  saysWhy(first, cause)
}

/** The one letter that was sent, as a reader gets it. */
function arrived(at: ReturnType<typeof office>, payload: Uint8Array): { back: [string, string][]; headers: Headers } {
  const [letter] = at.sent
  check(letter !== undefined && at.sent.length === 1, 'no letter, or several')
  const { headers, pairs } = overTheWire(letter.headers)
  const isLeftOut = headers[LETTER_HEADER.payload] === 'left-out'
  const limit = at.nc.info!.max_payload
  if (!isLeftOut) check(Buffer.from(letter.payload).equals(payload), 'another payload')
  else check(payload.length + headerBytes(letter.headers) > limit - 8300, 'a payload was left out that fits')
  check(isDeepStrictEqual(pairs, letter.headers), 'other headers came than were sent', letter.headers, pairs)
  return { back: pairs, headers }
}

/** All of the original's, unless the server would not take them beside those of the letter. */
function keepsHeaders(
  at: LetterOffice,
  own: readonly (readonly [string, string])[],
  { back, headers, payload }: { back: [string, string][]; headers: Headers; payload: Uint8Array },
): void {
  if (headers[LETTER_HEADER.headers] === 'left-out')
    check(payload.length + headerBytes([...own, ...back]) > at.nc.info!.max_payload, 'headers were left out that fit')
  else check(isDeepStrictEqual(back.slice(0, own.length), own), 'other headers of the original', own, back)
}

type Headers = Readonly<Record<string, string>>

/** A value that may be left out where it is empty. */
function said(headers: Headers, name: string, value: string): void {
  check(
    decodeAttribute(headers[name] ?? '') === value.toWellFormed(),
    `${name} says something else`,
    headers[name],
    value,
  )
}

function saysWhy(headers: Headers, { code, message, error }: { code: string; message: string; error: unknown }): void {
  said(headers, LETTER_HEADER.code, code)
  const reason = decodeAttribute(headers[LETTER_HEADER.reason] ?? '')
  check(message.toWellFormed().startsWith(reason), 'the reason is another', message, reason)
  check((headers[LETTER_HEADER.reason] ?? '').length <= 4096, 'the reason is longer than 4 KiB')
  const stack = headers[LETTER_HEADER.stack]
  if (stack === undefined || !(error instanceof Error)) return
  const bytes = Buffer.from(error.stack ?? '')
  check(bytes.subarray(0, 6144).equals(Buffer.from(stack, 'base64')), 'another stack')
}

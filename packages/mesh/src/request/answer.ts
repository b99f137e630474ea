import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { HEADER, headerBytes, type HeaderPairs } from '../message/headers.ts'
import type { AnyRequest } from './contract.ts'
import { type AnswerKind, REQUEST_HEADER } from './wire.ts'

/** What goes back to the requester. */
export type Answer = { headers: HeaderPairs; payload: Uint8Array }

/** How a request ended, for metrics: answered, refused by an error of the contract, never fit to be begun, or failed. */
export type ReplyOutcome = 'ok' | 'refused' | 'invalid' | 'busy' | 'late' | 'cancelled' | 'too-large' | 'failed'

/** An error as the requester is told of it. `code` is the mesh's, or the contract's. */
export type Refusal = {
  /** As HTTP numbers them; the micro protocol asks for a number. */
  number: 400 | 422 | 429 | 500 | 501 | 503 | 504
  code: string
  /** One line for people. */
  said: string
  payload?: Uint8Array
  retryAfterMs?: number
}

const EMPTY = new Uint8Array(0)

export function answerOf(contract: AnyRequest, kind: AnswerKind, payload: Uint8Array = EMPTY): Answer {
  const content = payload.length > 0 ? [[HEADER.contentType, contract.codec.contentType] as const] : []
  return { headers: [[REQUEST_HEADER.reply, kind], ...content], payload }
}

export function refusalAnswer(contract: AnyRequest, refusal: Refusal): Answer {
  const { headers, payload } = answerOf(contract, 'error', refusal.payload)
  const { number, code, said, retryAfterMs } = refusal
  return {
    headers: [
      ...headers,
      [REQUEST_HEADER.errorCode, code],
      [REQUEST_HEADER.error, oneLine(said)],
      [REQUEST_HEADER.errorNumber, String(number)],
      ...(retryAfterMs === undefined ? [] : [[REQUEST_HEADER.retryAfter, String(Math.ceil(retryAfterMs))] as const]),
    ],
    payload,
  }
}

/** One of several: the number of a part, or how many there were. */
export function numbered({ headers, payload }: Answer, part: number): Answer {
  return { headers: [...headers, [REQUEST_HEADER.part, String(part)]], payload }
}

/** An answer of one's own; one that a reply got of its own requests is not. */
export class TooLarge extends MeshError {}

/** @throws TooLarge MESH_REPLY_TOO_LARGE */
export function checkFits(nc: NatsConnection, contract: AnyRequest, { headers, payload }: Answer): void {
  const size = payload.length + headerBytes(headers) + NUMBERING_BYTES
  const limit = nc.info?.max_payload ?? Infinity
  if (size <= limit) return
  const hint = contract.streaming ? 'make its parts smaller' : 'answer with less, or with a reference, or stream it'
  throw new TooLarge(
    'MESH_REPLY_TOO_LARGE',
    `the reply to ${contract.type} has ${size} bytes with its headers, ${limit} is the most here; ${hint}`,
  )
}

/** What a part's number takes beside the other headers. */
const NUMBERING_BYTES = 32

/** Faults come a line each; a header is one line. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what it looks for
  return text.replace(/[\u0000-\u001F\u007F]+\s*/g, ' ').slice(0, 1000)
}

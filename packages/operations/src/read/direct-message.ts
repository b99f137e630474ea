import { headerBlock, type MessageHeaders, readHeaders, type StoredMessage } from '@malha/mesh'
import type { Msg } from '@nats-io/nats-core'

/** A message as a replica of its stream gives it back. */
export type DirectMessage = {
  readonly subject: string
  readonly seq: number
  /** When it was stored, RFC 3339. */
  readonly timestamp: string
  /** What it was stored with, and behind that what the server says of it. */
  readonly headers: MessageHeaders
  readonly data: Uint8Array
  /** Messages of its batch that were still to come; NaN of one that was asked for alone. */
  readonly pending: number
}

/** What a server answers with in place of a message, e.g. that there is none: its code. */
export type DirectStatus = { readonly code: number; readonly description: string }

/** Status of an answer: that was all, or there is nothing of it. */
export const END = 204
export const NOTHING = 404

export const refused = (stream: string, { code, description }: DirectStatus): Error =>
  new Error(`stream ${stream} was not read: ${code} ${description}`)

export function readAnswer(msg: Msg): DirectMessage | DirectStatus {
  const status = msg.data.length === 0 ? msg.headers : undefined
  if (status && status.code !== 0) return { code: status.code, description: status.description }
  const headers = readHeaders(msg, msg.data)
  const said = headers.last('Nats-Sequence') === undefined ? saidIn(headerBlock(msg, msg.data)) : headers
  return {
    subject: said.last('Nats-Subject') ?? '',
    seq: Number(said.last('Nats-Sequence')),
    timestamp: said.last('Nats-Time-Stamp') ?? '',
    headers,
    data: msg.data,
    pending: Number(said.last('Nats-Num-Pending')),
  }
}

/** Of names that a publisher wrote too the last one is the server's. */
type Said = Pick<MessageHeaders, 'last'>

/** What the server says behind headers that no client of ours would have written, and that are none for us. */
const saidIn = (block: string): Said => ({
  last: (name) =>
    block
      .split('\r\n')
      .findLast((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2),
})

export const textOf = ({ data }: DirectMessage): string =>
  Buffer.from(data.buffer, data.byteOffset, data.length).toString()

export const jsonOf = (message: DirectMessage): unknown => JSON.parse(textOf(message))

/** The same as the mesh reads it from a stream's leader. */
export function asStored({ subject, seq, timestamp, headers, data }: DirectMessage): StoredMessage {
  return {
    subject,
    seq,
    time: timestamp,
    headers: headers.record(),
    pairs: headers.pairs(),
    payload: Buffer.from(data.buffer, data.byteOffset, data.length),
  }
}

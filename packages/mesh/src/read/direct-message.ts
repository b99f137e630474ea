import type { Msg } from '@nats-io/transport-node'
import { headerBlock, type MessageHeaders, readHeaders } from '../consume/read-headers.ts'

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

export function readAnswer(msg: Msg): DirectMessage | DirectStatus {
  const status = statusOf(msg)
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

function statusOf(msg: Msg): Msg['headers'] {
  if (msg.data.length > 0) return undefined
  try {
    return msg.headers
  } catch {
    return undefined // what it was stored with, which the client would not write
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

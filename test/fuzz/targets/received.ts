import { MsgImpl, Parser, type ParserEvent } from '@nats-io/nats-core/internal'
import type { Msg } from '@nats-io/transport-node'
import { check } from '../engine/target.ts'

const encoder = new TextEncoder()
const NOBODY = { publish: () => undefined, flush: () => Promise.resolve() } as never
const END = encoder.encode('\r\n')

export type Sent = { subject: Uint8Array; reply: string; block: Uint8Array; payload: Uint8Array }

/** A message as the client makes it of the bytes a server sends, in the buffer where they came. */
export function received({ subject, reply, block, payload }: Sent, cutAt: number): Msg {
  const rest = ` 1 ${reply} ${block.length} ${block.length + payload.length}\r\n`
  const wire = Buffer.concat([encoder.encode('HMSG '), subject, encoder.encode(rest), block, payload, END])
  const messages: Msg[] = []
  const parser = new Parser({
    push(event) {
      const { msg, data } = event as ParserEvent
      messages.push(new MsgImpl(msg!, data ?? new Uint8Array(), NOBODY) as Msg)
    },
  })
  // As it comes: in one read or in two, cut anywhere.
  const cut = Math.min(cutAt, wire.length)
  if (cut > 0) parser.parse(new Uint8Array(wire.subarray(0, cut)))
  if (cut < wire.length) parser.parse(new Uint8Array(wire.subarray(cut)))
  const [message] = messages
  check(message !== undefined && messages.length === 1, 'the client made no message of it')
  return message
}

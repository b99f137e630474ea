import { HeaderBlock, headerLines, type HeaderPairs } from '../../../packages/mesh/src/message/headers.ts'
import type { ReceivedHeaders } from '../../../packages/mesh/src/message/envelope.ts'
import { readHeadersOf } from './read-headers-of.ts'
import { received } from './received.ts'

const SUBJECT = new TextEncoder().encode('center.registered')
const EMPTY = new Uint8Array()

export type Arrived = { pairs: [string, string][]; headers: ReceivedHeaders; payload: Uint8Array }

/** Headers and payload as they are read where they arrive. */
export function overTheWire(pairs: HeaderPairs, payload: Uint8Array = EMPTY): Arrived {
  const sent = { subject: SUBJECT, reply: '$JS.ACK.C.d.1.1.1.1795271400123456789.0', payload }
  const msg = received({ ...sent, block: new HeaderBlock(headerLines(pairs)).encode() }, 0)
  const read = readHeadersOf(msg)
  const headers = Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(read.first))
  return { pairs: read.pairs.map(([name, value]) => [name, value]), headers, payload: msg.data }
}

import type { Msg } from '@nats-io/transport-node'
import { readHeaders } from '../../../packages/mesh/src/consume/read-headers.ts'
import type { Pairs } from './reference-headers.ts'

/** What the mesh reads of a message: all, and the first of each name. */
export function readHeadersOf(msg: Msg): { pairs: Pairs; first: Map<string, string> } {
  const headers = readHeaders(msg, msg.data)
  const first = new Map(Object.entries(headers.record()))
  for (const [name, value] of first)
    if (headers.header(name) !== value) throw new Error('a header by its name is another one than in the record')
  return { pairs: headers.pairs(), first }
}

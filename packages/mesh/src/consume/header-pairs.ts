import type { Msg } from '@nats-io/transport-node'
import { headerPairs } from '../message/envelope.ts'
import type { HeaderPairs } from '../message/headers.ts'

const NAME = /^[!-9;-~]*$/
const BREAK = /[\r\n]/
const decoder = new TextDecoder()

/**
 * The headers of a received message, names as they came. The client's own reading of them takes about a third of what a
 * delivery costs, so they are read out of the bytes before the payload where the client left them there; it does in 3.4.
 * The client refuses a name it would not write itself (a space, a letter outside ASCII), which any other client may have
 * stored; thrown on, that would end the connection's read loop. Such a message has no headers for us, so it becomes a dead
 * letter like any that is not of this mesh.
 */
export function headerPairsOf(msg: Msg): HeaderPairs {
  const block = headerBlock(msg)
  if (block === undefined) return slowly(msg)
  const pairs: [string, string][] = []
  for (const line of block.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon < 0) continue
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (!NAME.test(name) || BREAK.test(value)) return []
    pairs.push([name, value])
  }
  return pairs
}

/** What stands before the payload, behind its first line; undefined where that is no header block, or none is there. */
function headerBlock(msg: Msg & { size?: () => number }): string | undefined {
  const { data } = msg
  const length = (msg.size?.() ?? 0) - Buffer.byteLength(msg.subject) - Buffer.byteLength(msg.reply ?? '') - data.length
  if (length <= 0 || length > data.byteOffset) return undefined
  const text = decoder.decode(new Uint8Array(data.buffer, data.byteOffset - length, length))
  return text.startsWith('NATS/1.0\r\n') && text.endsWith('\r\n\r\n') ? text.slice(10) : undefined
}

function slowly(msg: Msg): HeaderPairs {
  try {
    return headerPairs(msg.headers)
  } catch {
    return []
  }
}

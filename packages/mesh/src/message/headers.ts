import { MeshError } from '../errors.ts'
import { isObject, shown } from '../given.ts'

/** Header names of the wire: CloudEvents 1.0 in binary mode, W3C trace context, and our own. */
export const HEADER = {
  specVersion: 'ce-specversion',
  id: 'ce-id',
  type: 'ce-type',
  source: 'ce-source',
  time: 'ce-time',
  dataSchema: 'ce-dataschema',
  partitionKey: 'ce-partitionkey',
  correlationId: 'ce-correlationid',
  causationId: 'ce-causationid',
  contentType: 'content-type',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  msgId: 'Nats-Msg-Id',
  expectedLastSubjectSequence: 'Nats-Expected-Last-Subject-Sequence',
  expectedUnder: 'Nats-Expected-Last-Subject-Sequence-Subject',
  schedule: 'Nats-Schedule',
  scheduleTarget: 'Nats-Schedule-Target',
  ttl: 'Nats-TTL',
  batchId: 'Nats-Batch-Id',
  batchSequence: 'Nats-Batch-Sequence',
  batchCommit: 'Nats-Batch-Commit',
  traceDest: 'Nats-Trace-Dest',
} as const

/** What a nats-server takes of a stored message's header block, bytes (10097 beyond it, of its errors.json). */
export const MOST_HEADER_BYTES = 65_535

/** Names and values in the order they go out. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[]

const encoder = new TextEncoder()
const RESERVED = /^(nats-|ce-|malha-|content-type$|traceparent$|tracestate$)/i

/** What the NATS client asks of headers: anything with `encode()`. Cheaper than its own map. */
export class HeaderBlock {
  readonly text: string
  /** In bytes. */
  readonly length: number

  /** Takes what {@link headerLines} gives. */
  constructor(lines: string) {
    this.text = `NATS/1.0\r\n${lines}\r\n`
    this.length = Buffer.byteLength(this.text)
  }

  encode(): Uint8Array {
    // Out of Node's pool: a TextEncoder makes an ArrayBuffer of its own each time, which takes twice as long.
    return Buffer.from(this.text)
  }
}

/** Headers as the lines of a block, each with its end. */
export function headerLines(pairs: HeaderPairs): string {
  let lines = ''
  for (const [name, value] of pairs) lines += `${name}: ${value}\r\n`
  return lines
}

const NAME = /^[!-9;-~]*$/
const BREAK = /[\r\n]/

/**
 * The lines of a header block behind its first one. The client refuses a name it would not write itself (a space, a letter
 * outside ASCII) and a value with half a line end, which any other client may have stored. A message with one of them has
 * no headers for us, however it is read, so it becomes a dead letter like any that is not of this mesh.
 */
export function readHeaderLines(lines: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 0) continue
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (!NAME.test(name) || BREAK.test(value)) return []
    pairs.push([name, value])
  }
  return pairs
}

/** What a header block takes on the wire. */
export function headerBytes(pairs: HeaderPairs): number {
  return pairs.reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value) + 4, 12)
}

/** Percent-encodes what CloudEvents forbids in a header: all but printable ASCII, and space, `"` and `%` (HTTP binding 3.1.3.2). */
export function encodeAttribute(value: string): string {
  if (/^[!#$&-~]*$/.test(value)) return value
  return value.toWellFormed().replace(/[^!#$&-~]/gu, (char) => {
    let encoded = ''
    for (const byte of encoder.encode(char)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    return encoded
  })
}

/** The opposite of {@link encodeAttribute}; a value that is not validly encoded comes back as it is. */
export function decodeAttribute(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/**
 * Checks a user's own headers: what is accepted arrives as it was given.
 * @throws MeshError MESH_INVALID_HEADER: a reserved name (`Nats-*`, `ce-*`, `malha-*`, trace, content type), a name that is
 * no token or differs from another only in case, or a value with a control character (CR/LF would begin another header),
 * white space at an end, which readers take away, or half of a surrogate pair, which has no UTF-8
 */
export function userHeaders(headers: Readonly<Record<string, string>>): HeaderPairs {
  if (!isObject(headers))
    throw new MeshError('MESH_INVALID_HEADER', `headers is ${shown(headers)}; an object of text by name`)
  const pairs = Object.entries(headers)
  const names = new Set<string>()
  for (const [name, value] of pairs) {
    const say = (why: string): never => {
      throw new MeshError('MESH_INVALID_HEADER', `header ${JSON.stringify(name.slice(0, 64))} ${why}`)
    }
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name))
      say('is no header name: letters, digits and -, 128 characters at most')
    if (RESERVED.test(name)) say('is reserved for the mesh; choose a name of your own, e.g. x-tenant')
    if (names.has(name.toLowerCase())) say('is there twice, in another case; readers see one of them')
    names.add(name.toLowerCase())
    if (typeof value !== 'string') say(`is ${shown(value)}; text`)
    // oxlint-disable-next-line no-control-regex -- these are what it looks for
    if (/[\u0000-\u001F\u007F]/.test(value)) say('has a control character in its value; encode it first')
    if (value.trim() !== value)
      say('has white space at an end of its value, which no reader would see; encode it first')
    if (!value.isWellFormed()) say('has half of a surrogate pair in its value, which is no text; encode it first')
  }
  return pairs
}

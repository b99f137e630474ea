import type { Msg } from '@nats-io/transport-node'
import { headerPairs, type ReceivedHeaders } from '../message/envelope.ts'
import { type HeaderPairs, readHeaderLines } from '../message/headers.ts'

const FIRST_LINE = 'NATS/1.0\r\n'
const MOST_LAYOUTS = 8
const decoder = new TextDecoder()

/** The names of a header block in their order: what one publisher sends has the same ones again and again. */
type Layout = {
  /** As they came. */
  names: readonly string[]
  /** Where a name, in lower case, stands first. */
  first: ReadonlyMap<string, number>
  /** Of a whole block, its groups the values; made when the names were met a second time. */
  pattern: RegExp | undefined
}

/** Met lately, the last one first. */
const layouts: Layout[] = []

/** The headers of a received message. */
export class MessageHeaders {
  readonly #layout: Layout
  readonly #values: readonly string[]
  /** Where the first value is. */
  readonly #from: number

  constructor(layout: Layout, values: readonly string[], from = 0) {
    this.#layout = layout
    this.#values = values
    this.#from = from
  }

  /** By its name in lower case; of a repeated header the first value. */
  header(name: string): string | undefined {
    const index = this.#layout.first.get(name)
    return index === undefined ? undefined : this.#at(index)
  }

  /** By name, in lower case. */
  record(): ReceivedHeaders {
    const record = Object.create(null) as Record<string, string>
    for (const [name, index] of this.#layout.first) record[name] = this.#at(index)
    return record
  }

  /** As they came, repeated ones too. */
  pairs(): HeaderPairs {
    return this.#layout.names.map((name, index): [string, string] => [name, this.#at(index)])
  }

  #at(index: number): string {
    return this.#values[this.#from + index]!.trim()
  }
}

/**
 * Reads the headers of a received message. The client's own reading of them takes about a third of what a delivery costs,
 * so they are read out of the bytes before the payload where the client left them there; it does in 3.4.
 * The client refuses a name it would not write itself (a space, a letter outside ASCII), which any other client may have
 * stored; thrown on, that would end the connection's read loop. Such a message has no headers for us, so it becomes a dead
 * letter like any that is not of this mesh.
 */
export function readHeaders(msg: Msg & { size?: () => number }, payload: Uint8Array): MessageHeaders {
  const { subject, reply = '' } = msg
  const rest = (msg.size?.() ?? 0) - payload.length
  // What is not ASCII takes more bytes than it has letters.
  return (
    ofBlock(textBefore(payload, rest - subject.length - reply.length)) ??
    ofBlock(textBefore(payload, rest - Buffer.byteLength(subject) - Buffer.byteLength(reply))) ??
    ofPairs(slowly(msg))
  )
}

function textBefore({ buffer, byteOffset }: Uint8Array, length: number): string {
  if (length <= 0 || length > byteOffset) return ''
  return decoder.decode(new Uint8Array(buffer, byteOffset - length, length))
}

/** Undefined where that is no header block. */
function ofBlock(text: string): MessageHeaders | undefined {
  for (let index = 0; index < layouts.length; index++) {
    const layout = layouts[index]!
    const values = layout.pattern?.exec(text)
    if (!values) continue
    if (index > 0) layouts.unshift(...layouts.splice(index, 1))
    // The first of a match is the whole of it.
    return new MessageHeaders(layout, values, 1)
  }
  return text.startsWith(FIRST_LINE) && text.endsWith('\r\n\r\n') ? anew(text) : undefined
}

function anew(block: string): MessageHeaders {
  const pairs = readHeaderLines(block.slice(FIRST_LINE.length).split('\r\n'))
  remember(pairs)
  return ofPairs(pairs)
}

/** A pattern is dear to make, so names that come once get none. */
function remember(pairs: HeaderPairs): void {
  const known = layouts.find(
    ({ names }) => pairs.length === names.length && pairs.every(([name], n) => name === names[n]),
  )
  if (known) known.pattern ??= patternOf(known)
  else layouts.unshift(layoutOf(pairs))
  layouts.length = Math.min(layouts.length, MOST_LAYOUTS)
}

function patternOf({ names }: Layout): RegExp {
  const lines = names.map((name) => `${RegExp.escape(name)}: ?([^\\r\\n]*)\\r\\n`)
  return new RegExp(`^${RegExp.escape(FIRST_LINE)}${lines.join('')}\\r\\n$`)
}

/** Headers that were read elsewhere. */
const ofPairs = (pairs: HeaderPairs): MessageHeaders =>
  new MessageHeaders(
    layoutOf(pairs),
    pairs.map(([, value]) => value),
  )

function layoutOf(pairs: HeaderPairs): Layout {
  const names = pairs.map(([name]) => copyOf(name))
  const first = new Map<string, number>()
  for (const [index, name] of names.entries()) {
    const lower = name.toLowerCase()
    if (!first.has(lower)) first.set(lower, index)
  }
  return { names, first, pattern: undefined }
}

/** A part of a text keeps the whole of it in memory. */
const copyOf = (part: string): string => Buffer.from(part).toString()

function slowly(msg: Msg): HeaderPairs {
  try {
    return headerPairs(msg.headers)
  } catch {
    return []
  }
}

import type { Msg } from '@nats-io/transport-node'
import { headerPairs, type ReceivedHeaders } from '../message/envelope.ts'
import { type HeaderPairs, readHeaderLines } from '../message/headers.ts'

const FIRST_LINE = 'NATS/1.0\r\n'
const LINE_FEED = 10
const SPACE = 32
const MOST_LAYOUTS = 8
const MOST_CHANGES = 8
const decoder = new TextDecoder()

/**
 * The lines of a header block in their order. What one publisher sends has the same names again and again, and some of the
 * same values, so they are read once and then only compared.
 */
type Layout = {
  lines: readonly Line[]
  /** Where a name, in lower case, stands first. */
  first: ReadonlyMap<string, number>
}

type Line = {
  /** As it came. */
  name: string
  /** With its colon. */
  prefix: string
  /** As it came last, with its end; empty where it never is the same. */
  text: string
  value: string
  /** How often it was another one. */
  changes: number
}

/** Met lately, the last one first. */
const layouts: Layout[] = []

/** The headers of a received message. */
export class MessageHeaders {
  readonly #layout: Layout
  readonly #values: readonly string[]

  constructor(layout: Layout, values: readonly string[]) {
    this.#layout = layout
    this.#values = values
  }

  /** By its name in lower case; of a repeated header the first value. */
  header(name: string): string | undefined {
    const index = this.#layout.first.get(name)
    return index === undefined ? undefined : this.#values[index]
  }

  /** By name, in lower case. */
  record(): ReceivedHeaders {
    const record = Object.create(null) as Record<string, string>
    for (const [name, index] of this.#layout.first) record[name] = this.#values[index]!
    return record
  }

  /** As they came, repeated ones too. */
  pairs(): HeaderPairs {
    return this.#layout.lines.map(({ name }, index): [string, string] => [name, this.#values[index]!])
  }
}

/**
 * Reads the headers of a received message. The client's own reading of them takes about a third of what a delivery costs,
 * so they are read out of the bytes before the payload where the client left them there; it does in 3.4.
 * The client refuses a name it would not write itself (a space, a letter outside ASCII), which any other client may have
 * stored; thrown on, that would end the connection's read loop. Such a message has no headers for us, so it becomes a dead
 * letter like any that is not of this mesh.
 */
export function readHeaders(msg: Msg, payload: Uint8Array): MessageHeaders {
  const block = headerBlock(msg, payload)
  if (block === undefined) return ofPairs(slowly(msg))
  return byKnownLayout(block) ?? anew(block)
}

/** What stands before the payload; undefined where that is no header block, or none is there. */
function headerBlock(msg: Msg & { size?: () => number }, payload: Uint8Array): string | undefined {
  const { subject, reply = '' } = msg
  const rest = (msg.size?.() ?? 0) - payload.length
  const narrow = blockBefore(payload, rest - subject.length - reply.length)
  if (narrow !== undefined) return narrow
  // What is not ASCII takes more bytes than it has letters.
  return blockBefore(payload, rest - Buffer.byteLength(subject) - Buffer.byteLength(reply))
}

function blockBefore({ buffer, byteOffset }: Uint8Array, length: number): string | undefined {
  if (length <= 0 || length > byteOffset) return undefined
  const text = decoder.decode(new Uint8Array(buffer, byteOffset - length, length))
  return text.startsWith(FIRST_LINE) && text.endsWith('\r\n\r\n') ? text : undefined
}

function byKnownLayout(block: string): MessageHeaders | undefined {
  for (let index = 0; index < layouts.length; index++) {
    const layout = layouts[index]!
    const values = valuesBy(layout, block)
    if (!values) continue
    if (index > 0) layouts.unshift(...layouts.splice(index, 1))
    return new MessageHeaders(layout, values)
  }
  return undefined
}

/** The values of a block that has these very names; undefined where it has others, or anything out of the ordinary. */
function valuesBy({ lines }: Layout, block: string): string[] | undefined {
  const values: string[] = []
  let at = FIRST_LINE.length
  for (const line of lines) {
    const isSame = line.text !== '' && block.startsWith(line.text, at)
    const end = isSame ? at + line.text.length - 2 : endOfLine(line, block, at)
    if (end < 0) return undefined
    values.push(isSame ? line.value : changedValue(line, block, { at, end }))
    at = end + 2
  }
  return at === block.length - 2 ? values : undefined
}

/** Where the line ends that begins at `at`; -1 where it has another name or a break inside. */
function endOfLine({ prefix }: Line, block: string, at: number): number {
  if (!block.startsWith(prefix, at)) return -1
  const end = block.indexOf('\r', at)
  return block.charCodeAt(end + 1) === LINE_FEED && block.indexOf('\n', at) === end + 1 ? end : -1
}

/** Of a line that is not the one that came last; it is compared with the next one, unless it changes all the time. */
function changedValue(line: Line, block: string, { at, end }: { at: number; end: number }): string {
  const from = at + line.prefix.length
  const value = block.slice(block.charCodeAt(from) === SPACE ? from + 1 : from, end).trim()
  if (line.changes > MOST_CHANGES) return value
  line.changes++
  line.value = copyOf(value)
  line.text = line.changes > MOST_CHANGES ? '' : copyOf(block.slice(at, end + 2))
  return value
}

/** A part of a text keeps the whole of it in memory. */
const copyOf = (part: string): string => Buffer.from(part).toString()

function anew(block: string): MessageHeaders {
  const pairs = readHeaderLines(block.slice(FIRST_LINE.length).split('\r\n'))
  const layout = layoutOf(pairs)
  // One that is out of the ordinary would never be met again by it.
  if (valuesBy(layout, block)) layouts.unshift(layout)
  layouts.length = Math.min(layouts.length, MOST_LAYOUTS)
  return new MessageHeaders(layout, valuesOf(pairs))
}

/** Headers that were read elsewhere. */
export const ofPairs = (pairs: HeaderPairs): MessageHeaders => new MessageHeaders(layoutOf(pairs), valuesOf(pairs))

const valuesOf = (pairs: HeaderPairs): string[] => pairs.map(([, value]) => value)

function layoutOf(pairs: HeaderPairs): Layout {
  const first = new Map<string, number>()
  for (const [index, [name]] of pairs.entries()) {
    const lower = copyOf(name.toLowerCase())
    if (!first.has(lower)) first.set(lower, index)
  }
  const lines = pairs.map(([name]): Line => ({
    name: copyOf(name),
    prefix: copyOf(`${name}:`),
    text: '',
    value: '',
    changes: 0,
  }))
  return { lines, first }
}

function slowly(msg: Msg): HeaderPairs {
  try {
    return headerPairs(msg.headers)
  } catch {
    return []
  }
}

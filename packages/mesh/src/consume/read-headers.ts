import type { Msg } from '@nats-io/transport-node'
import { type HeaderLayout, headerPairs, type ReceivedHeaders } from '../message/envelope.ts'
import { type HeaderPairs, readHeaderLines } from '../message/headers.ts'

const FIRST_LINE = 'NATS/1.0\r\n'
const MOST_LAYOUTS = 8
const decoder = new TextDecoder()

/**
 * The names of a header block in their order, and the values that do not change: what one publisher sends has the same ones
 * again and again.
 */
export type Layout = HeaderLayout & {
  /** As they came. */
  readonly names: readonly string[]
  /** Of a whole block, its groups the values that differ; made when the names were met a second time. */
  readonly pattern: RegExp | undefined
  /** By place: which group the value is. */
  readonly groups: readonly number[]
}

/** Met lately, the last one first. */
const layouts: Layout[] = []
/** A longer value is not compared with the one before it. */
const LONGEST_SAME = 256

/** The headers of a received message. */
export class MessageHeaders {
  readonly layout: Layout
  readonly #values: readonly string[]

  constructor(layout: Layout, values: readonly string[]) {
    this.layout = layout
    this.#values = values
  }

  /** By its name in lower case; of a repeated header the first value. */
  header(name: string): string | undefined {
    const index = this.layout.first.get(name)
    return index === undefined ? undefined : this.#at(index)
  }

  /** By its name as it came; of a repeated header the last value. */
  last(name: string): string | undefined {
    const index = this.layout.names.lastIndexOf(name)
    return index === -1 ? undefined : this.#at(index)
  }

  /** By name, in lower case. */
  record(): ReceivedHeaders {
    const record = Object.create(null) as Record<string, string>
    for (const [name, index] of this.layout.first) record[name] = this.#at(index)
    return record
  }

  /** As they came, repeated ones too. */
  pairs(): HeaderPairs {
    return this.layout.names.map((name, index): [string, string] => [name, this.#at(index)])
  }

  #at(index: number): string {
    return this.layout.same[index] ?? this.#values[this.layout.groups[index]!]!.trim()
  }
}

/** What the client keeps of a message (nats-core 3.4, msg.ts): how long its header block is. */
type Kept = { readonly _msg?: { readonly hdr?: number } }

/**
 * Reads the headers of a received message. The client's own reading of them takes about a third of what a delivery costs,
 * so they are read out of the bytes right before the payload, where it leaves them; what looks otherwise it reads itself.
 * The client refuses a name it would not write itself (a space, a letter outside ASCII), which any other client may have
 * stored; thrown on, that would end the connection's read loop. Such a message has no headers for us, so it becomes a dead
 * letter like any that is not of this mesh.
 */
export function readHeaders(msg: Msg & Kept, payload: Uint8Array): MessageHeaders {
  return ofBlock(headerBlock(msg, payload)) ?? ofPairs(slowly(msg))
}

/** The bytes right before the payload, as text; empty where the client does not leave them there. */
export function headerBlock(msg: Msg & Kept, { buffer, byteOffset }: Uint8Array): string {
  const length = msg._msg?.hdr ?? 0
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
    return new MessageHeaders(layout, values)
  }
  return text.startsWith(FIRST_LINE) && text.endsWith('\r\n\r\n') ? anew(text) : undefined
}

function anew(block: string): MessageHeaders {
  const pairs = readHeaderLines(block.slice(FIRST_LINE.length).split('\r\n'))
  // oxlint-disable-next-line no-control-regex -- these are what it looks for
  if (!pairs.some(([, value]) => /[\u0000-\u001F\u007F]/.test(value))) remember(pairs)
  return ofPairs(pairs)
}

/** A pattern is dear to make, so names that come once get none, and a value that differs once is none that stays. */
function remember(pairs: HeaderPairs): void {
  const index = layouts.findIndex(
    ({ names }) => pairs.length === names.length && pairs.every(([name], n) => name === names[n]),
  )
  const known = layouts[index]
  if (known) layouts[index] = loosened(known, pairs)
  else layouts.unshift({ ...layoutOf(pairs), same: pairs.map(([, value]) => copyOf(value)) })
  layouts.length = Math.min(layouts.length, MOST_LAYOUTS)
}

function loosened(layout: Layout, pairs: HeaderPairs): Layout {
  const isSame = (value: string, n: number): boolean => value === layout.same[n] && value.length <= LONGEST_SAME
  const kept = pairs.map(([, value], n) => (isSame(value, n) ? layout.same[n] : undefined))
  // One that is alike and is not met by its pattern is written in another way, e.g. with more spaces.
  const isStuck = layout.pattern !== undefined && kept.every((value, n) => value === layout.same[n])
  const same = isStuck ? kept.map(() => undefined) : kept
  let groups = 0
  return {
    ...layout,
    same,
    pattern: patternOf(layout.names, same),
    // The first of a match is the whole of it.
    groups: same.map((value) => (value === undefined ? ++groups : 0)),
  }
}

function patternOf(names: readonly string[], same: Layout['same']): RegExp {
  const lines = names.map((name, n) => {
    const value = same[n]
    return `${RegExp.escape(name)}: ?${value === undefined ? String.raw`([^\x00-\x1F\x7F]*)` : RegExp.escape(value)}\\r\\n`
  })
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
  return { names, first, same: names.map(() => undefined), pattern: undefined, groups: names.map((_, n) => n) }
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

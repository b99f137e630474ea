import { isDeepStrictEqual } from 'node:util'
import { MeshError } from '@malha/mesh'
import {
  type Envelope,
  envelopeHeaders,
  envelopeLines,
  readEnvelope,
} from '../../../packages/mesh/src/message/envelope.ts'
import {
  HEADER,
  headerBytes,
  HeaderBlock,
  headerLines,
  userHeaders,
} from '../../../packages/mesh/src/message/headers.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { overTheWire } from './over-the-wire.ts'

/** What is written is read back, whatever it says; and whatever came is an envelope, or refused with what is wrong. */
export const envelope: Target = {
  name: 'envelope',
  run(bytes) {
    const input = new Input(bytes)
    if (input.flag()) reads(input)
    else writes(input)
  },
  seeds: [Uint8Array.of(0), Uint8Array.of(1, 255, 255), new TextEncoder().encode('\x01\x05aaaaa\x05bbbbb')],
}

function writes(input: Input): void {
  const said: Envelope = {
    id: input.text(40) || 'id',
    type: input.pick(['center.registered', 'a.b', '0.x-1']),
    version: 1 + (input.integer() % 999_999_999),
    source: `/${input.text(40)}`,
    time: '2026-11-21T12:00:09.120Z',
    key: input.flag() ? input.text(40) : undefined,
    correlationId: input.text(40),
    causationId: input.flag() ? input.text(40) : undefined,
    contentType: 'application/json',
  }
  const own = acceptedHeaders(input)
  const pairs = [...envelopeHeaders(said), ...own]
  check(new HeaderBlock(headerLines(pairs)).length === headerBytes(pairs), 'a block has another size than was counted')
  check(envelopeLines(said) === headerLines(envelopeHeaders(said)), 'the lines say other than the headers')
  const { headers, pairs: back } = overTheWire(pairs)
  for (const [name, value] of own)
    check(headers[name.toLowerCase()] === value, 'a header of the user came back as another', name, value, back)
  check(isDeepStrictEqual(back, pairs), 'other headers came than were sent', pairs, back)
  // Of an id with control characters, which checkId and derived ids rule out, nothing is promised.
  if (/\p{Cc}/u.test(said.id)) return
  const read = readEnvelope(headers)
  check(isDeepStrictEqual(read, wellFormed(said)), 'another envelope was read than was written', said, read)
}

/** Headers as a user gives them; none where they are refused. */
function acceptedHeaders(input: Input): readonly (readonly [string, string])[] {
  const given = Object.fromEntries(
    input.list(4, () => [input.flag() ? input.text(20) : input.pick(['x-a', 'X-A', 'x-b']), input.text(30)]),
  )
  try {
    return userHeaders(given)
  } catch (error) {
    check(error instanceof MeshError && error.code === 'MESH_INVALID_HEADER', 'headers are refused otherwise', error)
    return []
  }
}

/** Half of a surrogate pair has no UTF-8. */
function wellFormed(said: Envelope): Envelope {
  return Object.fromEntries(
    Object.entries(said).map(([name, value]) => [name, typeof value === 'string' ? value.toWellFormed() : value]),
  ) as Envelope
}

const NAMES = Object.values(HEADER).map((name) => name.toLowerCase())

function reads(input: Input): void {
  const headers = Object.create(null) as Record<string, string>
  for (const name of NAMES) if (input.flag()) headers[name] = input.flag() ? valid(name) : input.text(40)
  let read: Envelope
  try {
    read = readEnvelope(headers)
  } catch (error) {
    check(error instanceof MeshError && error.code === 'MESH_UNDECODABLE', 'it is refused otherwise', error)
    return
  }
  check(
    read.id.length > 0 && read.id.length <= 256 && !/\p{Cc}/u.test(read.id.replaceAll(/[\u0080-\u009F]/g, '')),
    'an id that no partner takes',
    read,
  )
  check(Number.isSafeInteger(read.version) && read.version >= 1, 'a version that is none', read)
  const strings = [read.type, read.source, read.time, read.correlationId, read.contentType]
  check(
    strings.every((value) => typeof value === 'string'),
    'a part of the envelope is no text',
    read,
  )
  check(read.type !== '' && read.source !== '', 'a part that is required is empty', read)
}

const VALID: Readonly<Record<string, string>> = {
  [HEADER.specVersion]: '1.0',
  [HEADER.id]: 'e1',
  [HEADER.type]: 'center.registered',
  [HEADER.source]: '/x',
  [HEADER.dataSchema]: 'center.registered/2',
}

const valid = (name: string): string => VALID[name] ?? 'x%20y'

import { isUtf8 } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import { MsgHdrsImpl } from '@nats-io/nats-core/internal'
import { headerPairs } from '../../../packages/mesh/src/message/envelope.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { received } from './received.ts'
import { readHeadersOf } from './read-headers-of.ts'
import { firstOfEach, type Pairs, referencePairs } from './reference-headers.ts'

const encoder = new TextEncoder()

/** Of ASCII, of other text, and of bytes that are no text: a server takes them all. */
const SUBJECTS = [
  encoder.encode('center.registered.4.c-1'),
  encoder.encode('Größe.é'),
  Uint8Array.of(0x61, 0x2e, 0xff, 0xc3),
] as const

/**
 * A run of messages, because what was read of one may be used for the next: most are what came before with one value
 * changed. Each is read as a decoder that keeps nothing reads it, and, but for the order of names, as the client does.
 */
export const headers: Target = {
  name: 'headers',
  run(bytes) {
    const input = new Input(bytes)
    const blocks: Uint8Array[] = [STANDARD]
    for (let count = 1 + input.upTo(11); count > 0; count--) {
      const block = nextBlock(input, blocks)
      blocks.push(block)
      const subject = input.pick([...SUBJECTS])
      const reply = input.flag() ? '$JS.ACK.CENTERS.provider_senninha.1.17.9.1795271400123456789.0' : 'São'
      const payload = input.flag() ? input.bytes(64) : STANDARD
      agrees(block, { subject, reply, payload, cutAt: input.flag() ? input.upTo(300) : 0 })
    }
  },
  seeds: ['', '\x05\x01\x02new\x00\x00', '\x03\x00\x20a: b\r\nc: d\r\n'].map((text) => encoder.encode(text)),
  words: [
    '\r\n',
    ': ',
    ':',
    ' ',
    'ce-id: 1\r\n',
    'Ce-Id: 2\r\n',
    'NATS/1.0\r\n',
    '\u00A0',
    '\uFEFF',
    'traceparent: 00-',
  ],
}

function agrees(
  block: Uint8Array,
  { subject, reply, payload, cutAt }: { subject: Uint8Array; reply: string; payload: Uint8Array; cutAt: number },
): void {
  const msg = received({ subject, reply, block, payload }, cutAt)
  const expected = referencePairs(block)
  const { pairs, first } = readHeadersOf(msg)
  check(isDeepStrictEqual(byName(pairs), byName(expected)), 'other headers than the reference reads', pairs, expected)
  // Where block or subject are as no client of ours writes them, the order of different names may be lost.
  if (isOrdinary(block) && isUtf8(subject))
    check(isDeepStrictEqual(pairs, expected), 'headers in another order', pairs, expected)
  check(isDeepStrictEqual(first, firstOfEach(expected)), 'another first value', first, expected)
  const client = asTheClient(block)
  check(
    isDeepStrictEqual(byName(pairs), client && byName(client)),
    'other headers than the client reads',
    pairs,
    client,
  )
  check(Buffer.from(payload).equals(msg.data), 'the payload is another one')
}

function isOrdinary(block: Uint8Array): boolean {
  const text = Buffer.from(block).toString('latin1')
  return text.startsWith('NATS/1.0\r\n') && text.endsWith('\r\n\r\n')
}

/** What the client reads; none where it refuses to. */
function asTheClient(block: Uint8Array): Pairs {
  try {
    return headerPairs(MsgHdrsImpl.decode(block))
  } catch {
    return []
  }
}

/** The client keeps the values of one name together. */
function byName(pairs: Pairs): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value])
  return values
}

const STANDARD = blockOf(
  'ce-specversion: 1.0',
  'ce-id: 5f7c1b1e-6a0e-4d0a-9a38-1a4f6f0f4c11',
  'ce-type: center.registered',
  'ce-source: /distribution-center',
  'ce-time: 2026-11-21T12:00:09.120Z',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'Nats-Msg-Id: 5f7c1b1e',
)

function blockOf(...lines: string[]): Uint8Array {
  return encoder.encode(`NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)
}

function nextBlock(input: Input, blocks: readonly Uint8Array[]): Uint8Array {
  const kind = input.upTo(4)
  if (kind === 0) return input.flag() ? input.bytes(300) : framed(input.bytes(300))
  const before = blocks[blocks.length - 1 - input.upTo(blocks.length - 1)]!
  if (kind === 1) return before
  const at = kind === 2 ? input.upTo(Math.min(before.length, 0xffff)) : valueAt(before, input.byte())
  const until = Math.min(before.length, at + input.upTo(40))
  return Buffer.concat([before.subarray(0, at), input.bytes(60), before.subarray(until)])
}

/** Some bytes as the lines of a block. */
const framed = (bytes: Uint8Array): Uint8Array =>
  Buffer.concat([encoder.encode('NATS/1.0\r\n'), bytes, encoder.encode('\r\n\r\n')])

/** Where the value of one of its lines begins. */
function valueAt(block: Uint8Array, line: number): number {
  const colons = [...block.entries()].filter(([, byte]) => byte === 58).map(([index]) => index + 1)
  return colons[line % Math.max(1, colons.length)] ?? 0
}

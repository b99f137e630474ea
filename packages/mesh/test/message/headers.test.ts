import { decodeAttribute, encodeAttribute, MeshError } from '@malha/mesh'
import { assert, property } from 'fast-check'
import { expect, test } from 'vitest'
import { HeaderBlock, headerLines, userHeaders } from '../../src/message/headers.ts'
import { anyText } from '../any-text.ts'

test('any text survives as a header value, in printable ASCII', () => {
  assert(
    property(anyText, (text) => {
      const encoded = encodeAttribute(text)
      expect(encoded).toMatch(/^[!-~]*$/)
      expect(decodeAttribute(encoded)).toBe(text.toWellFormed())
    }),
  )
})

test('emoji, right-to-left text and line ends are encoded as UTF-8', () => {
  expect(encodeAttribute('🚚')).toBe('%F0%9F%9A%9A')
  expect(encodeAttribute('שלום')).toBe('%D7%A9%D7%9C%D7%95%D7%9D')
  expect(encodeAttribute('a\r\nNats-Msg-Id: x')).toBe('a%0D%0ANats-Msg-Id:%20x')
})

test('a value that is not validly encoded is read as it is', () => {
  expect(decodeAttribute('100%')).toBe('100%')
  expect(decodeAttribute('%FF')).toBe('%FF')
})

test.each([
  [{ 'x-a': 'b\r\nNats-TTL: 1s' }, 'control character'],
  [{ 'x-a\r\n': 'b' }, 'no header name'],
  [{ 'Nats-Msg-Id': 'b' }, 'reserved'],
  [{ 'nats-ttl': '1s' }, 'reserved'],
  [{ 'CE-ID': 'b' }, 'reserved'],
  [{ 'malha-attempts': '9' }, 'reserved'],
  [{ traceparent: 'x' }, 'reserved'],
  [{ 'x-a': ' b' }, 'white space at an end'],
  [{ 'x-a': 'b\u00A0' }, 'white space at an end'],
  [{ 'x-a': '\uD800' }, 'half of a surrogate pair'],
  [{ 'x-a': 'b', 'X-A': 'c' }, 'twice'],
  [{ 'x-a': 7 }, 'is 7; text'],
])('user header %j is refused', (headers, why) => {
  expect(() => userHeaders(headers as unknown as Record<string, string>)).toThrow(why)
  expect(() => userHeaders(headers as unknown as Record<string, string>)).toThrow(MeshError)
})

test('a block is the NATS header format', () => {
  const lines = headerLines([
    ['ce-id', '1'],
    ['Nats-Msg-Id', '1'],
  ])
  const block = new HeaderBlock(lines)
  expect(new TextDecoder().decode(block.encode())).toBe('NATS/1.0\r\nce-id: 1\r\nNats-Msg-Id: 1\r\n\r\n')
})

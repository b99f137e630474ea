import { MeshError } from '@malha/mesh'
import { keyToken, partitionOf } from '@malha/mesh'
import { assert, property, string } from 'fast-check'
import { expect, test } from 'vitest'

test('a plain key is its own token, any other is = and base64url', () => {
  expect(keyToken('center-4711_a')).toBe('center-4711_a')
  expect(keyToken('São Paulo')).toBe(`=${Buffer.from('São Paulo').toString('base64url')}`)
  expect(keyToken('a.b')).toBe('=YS5i')
})

test('no two keys share a token, not even a key that looks like an encoded one', () => {
  const seen = new Map<string, string>()
  assert(
    property(string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), (key) => {
      const token = keyToken(key)
      expect(token).toMatch(/^(=[\w-]+|[\w-]+)$/)
      expect(seen.get(token) ?? key).toBe(key)
      seen.set(token, key)
    }),
  )
  expect(keyToken('YS5i')).not.toBe(keyToken('a.b'))
})

test.each([
  ['', 'is empty'],
  ['x'.repeat(129), 'has 129 bytes'],
  ['é'.repeat(65), 'has 130 bytes'],
  ['\uD800', 'not well-formed'],
])('key %j is refused', (key, why) => {
  expect(() => keyToken(key)).toThrow(why)
  expect(() => keyToken(key)).toThrow(MeshError)
})

// Vectors of nats-server's partition(): FNV-1a 32 over the token's bytes (hash/fnv of Go).
test.each([
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
  ['', 0x811c9dc5],
])('FNV-1a 32 of %j', (token, hash) => {
  expect(partitionOf(token, 2 ** 32)).toBe(hash)
  expect(partitionOf(token, 16)).toBe(hash % 16)
})

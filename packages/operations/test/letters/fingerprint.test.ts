import { expect, it } from 'vitest'
import { fingerprintOf } from '../../src/letters/fingerprint.ts'

const alike = { durable: 'provider_senninha', code: 'HTTP_422', errorClass: 'ResponseError' }
const groupOf = (reason: string, other = {}): string => fingerprintOf({ ...alike, reason, ...other }).group

it.each([
  ['city 17 is unknown', 'city 4711 is unknown'],
  ['order 0190d6f0-7c1e-4b6e-9d1b-3a1f5f0c2a11 is gone', 'order 5F7C1B1E-6A0E-4D0A-9A38-1A4F6F0F4C11 is gone'],
  ['connect ECONNREFUSED 127.0.0.1:4222', 'connect ECONNREFUSED 10.0.12.1:80'],
  ['no city "São Paulo"', 'no city "Rio de \\"Janeiro\\""'],
  ["Cannot read 'name'", "Cannot read 'id'"],
  ['too late: 2026-11-21T10:00:00.123Z', 'too late: 2025-01-02T03:04:05+01:00'],
  ['commit 9fceb02a not there', 'commit 1a2b3c4d5e6f not there'],
  ['two\nlines', 'two   lines'],
])('%s and %s are of one group', (one, other) => {
  expect(groupOf(one)).toBe(groupOf(other))
})

it('another handler, code or class is another group, and so are other words', () => {
  const all = [
    groupOf('no room'),
    groupOf('no time'),
    groupOf('no room', { durable: 'provider_maas' }),
    groupOf('no room', { code: 'HTTP_400' }),
    groupOf('no room', { errorClass: undefined }),
  ]
  expect(new Set(all).size).toBe(all.length)
})

it('words that look like hexadecimal are words', () => {
  expect(fingerprintOf({ ...alike, reason: 'the facade faded, deadbeef' }).groupReason).toBe(
    'the facade faded, deadbeef',
  )
})

it('a long message is cut, and half of a pair of surrogates is none', () => {
  const { groupReason } = fingerprintOf({ ...alike, reason: `${'x'.repeat(299)}😀` })
  expect(groupReason.length).toBe(300)
  expect(groupReason.isWellFormed()).toBe(true)
})

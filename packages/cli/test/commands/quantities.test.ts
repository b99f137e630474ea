import { expect, test } from 'vitest'
import { countOf, lengthOf, shareOf, sizeOf } from '../../src/commands/quantities.ts'

test('a size is read in bytes, thousands or 1024s, whatever its case', () => {
  const read = ['0', '512', '512B', '1kB', '1KB', '1KiB', '1.5KiB', '64 MiB', '100GiB', '2TB', '1pib'].map(sizeOf)
  expect(read).toEqual([0, 512, 512, 1000, 1000, 1024, 1536, 67_108_864, 107_374_182_400, 2e12, 1024 ** 5])
})

test('a length is read in ms', () => {
  expect(['20ms', '90s', '1.5h', '7d', '0s', '30m'].map(lengthOf)).toEqual([
    20, 90_000, 5_400_000, 604_800_000, 0, 1_800_000,
  ])
})

test('a number may have thousands and millions, a share a percent sign', () => {
  expect(['200', '5k', '1.5M', '0.5'].map(countOf)).toEqual([200, 5000, 1_500_000, 0.5])
  expect(['0.1%', '0.001', '100%', '1', '0'].map(shareOf)).toEqual([0.001, 0.001, 1, 1, 0])
})

test('what is none is not guessed at', () => {
  for (const text of [
    '',
    ' ',
    '-1',
    '1e3',
    '1,000',
    '0x10',
    'NaN',
    '5 000',
    '1KiBs',
    'KiB',
    '1.',
    '.5',
    '٣',
    '1'.repeat(16),
  ])
    expect([countOf(text), lengthOf(text), sizeOf(text), shareOf(text)], `of ${text}`).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  // Of another kind, or without its unit.
  expect([lengthOf('5'), lengthOf('5KiB'), sizeOf('5s'), countOf('5%'), shareOf('101%'), shareOf('2')]).toEqual(
    Array.from({ length: 6 }, () => undefined),
  )
  expect(['constructor', '1constructor', '1__proto__'].map(sizeOf)).toEqual([undefined, undefined, undefined])
})

import { expect, test } from 'vitest'
import { duration, timeOrLength } from '../../src/commands/arguments.ts'

test.for([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['2h', 7_200_000],
  ['999999d', 86_399_913_600_000],
] as const)('a length on the command line: %s', ([text, ms]) => {
  expect(duration(text)).toBe(ms)
  expect(timeOrLength(text)).toBe(ms)
})

test.for(['', '0s', '1.5h', '20ms', '2 h', ' 2h', '-1h', '1000000d', '2w', 'h'])('%j is no length', (text) => {
  expect(() => duration(text)).toThrow('a length such as 90s, 30m, 2h or 1d')
  expect(() => timeOrLength(text)).toThrow('or a length such as 90s')
})

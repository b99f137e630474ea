import { expect, test } from 'vitest'
import { judge } from './judge.ts'

const floor = { ratioToPlain: 2, cpuToPlain: 0.6 }
const goal = { ratioToPlain: 2.5, cpuToPlain: 0.5 }
const met = (figures: Record<string, number>): string => judge(floor, goal, (name) => figures[name])

test('ratios of rates must be reached, and everything else must not be passed', () => {
  expect(met({ ratioToPlain: 2.5, cpuToPlain: 0.5 })).toBe('goal')
  expect(met({ ratioToPlain: 2.4, cpuToPlain: 0.4 })).toBe('floor')
  expect(met({ ratioToPlain: 3, cpuToPlain: 0.55 })).toBe('floor')
  expect(met({ ratioToPlain: 3, cpuToPlain: 0.61 })).toBe('none')
  expect(met({ ratioToPlain: 1.99, cpuToPlain: 0.1 })).toBe('none')
})

test('a rate is reached, a time is not passed', () => {
  expect(judge({ rate: 100 }, { meanMs: 10 }, (name) => ({ rate: 100, meanMs: 10 })[name])).toBe('goal')
  expect(judge({ rate: 100 }, { meanMs: 10 }, (name) => ({ rate: 100, meanMs: 11 })[name])).toBe('floor')
  expect(judge({ rate: 100 }, {}, (name) => ({ rate: 99 })[name])).toBe('none')
})

test('what was not measured does not hold', () => {
  expect(met({ ratioToPlain: 9 })).toBe('none')
  expect(met({})).toBe('none')
})

test('no goal is no goal met', () => {
  expect(judge({ rate: 1 }, {}, () => 2)).toBe('floor')
})

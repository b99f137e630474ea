import { expect, test } from 'vitest'
import { measuredAs, median } from './ratio.ts'

test('the median of an even number of rounds lies between the middle two', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
})

test('a ratio compares rounds that were next to each other, so that a machine slowed down for a while changes nothing', () => {
  const rounds = {
    mesh: [{ rate: 200 }, { rate: 20 }, { rate: 200 }],
    plain: [{ rate: 100 }, { rate: 10 }, { rate: 100 }],
  }
  expect(measuredAs(rounds, 'ratioToPlain')).toBe(2)
})

test('a limit names a figure, or one beside another variant', () => {
  const rounds = {
    mesh: [{ rate: 50, cpuUsPerMessage: 10, p50Ms: 3, meanMs: 4 }],
    lean: [{ rate: 100, cpuUsPerMessage: 5, p50Ms: 2, meanMs: 4 }],
    oneInFlight: [{ rate: 25 }],
  }
  expect(measuredAs(rounds, 'meanMs')).toBe(4)
  expect(measuredAs(rounds, 'ratioToLean')).toBe(0.5)
  expect(measuredAs(rounds, 'cpuToLean')).toBe(2)
  expect(measuredAs(rounds, 'p50ToLean')).toBe(1.5)
  expect(measuredAs(rounds, 'ratioToOneInFlight')).toBe(2)
})

test('a figure of the mesh counts before a ratio of that name, so that a scenario may define its own', () => {
  const rounds = { mesh: [{ rate: 50, ratioToApart: 0.7 }], apart: [{ rate: 100 }] }
  expect(measuredAs(rounds, 'ratioToApart')).toBe(0.7)
})

test('a variant or a figure that is not there gives nothing', () => {
  const rounds = { mesh: [{ rate: 50 }], plain: [{ rate: 0 }] }
  expect(measuredAs(rounds, 'ratioToLean')).toBeUndefined()
  expect(measuredAs(rounds, 'cpuToPlain')).toBeUndefined()
  expect(measuredAs(rounds, 'ratioToPlain')).toBeUndefined()
  expect(measuredAs(rounds, 'p50Ms')).toBeUndefined()
})

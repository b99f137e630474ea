import { retry, untilBack } from '@malha/mesh'
import { assert, double, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from '../../src/failure/backoff.ts'

test('delays grow by the factor up to the cap', () => {
  const policy = retry({ minDelayMs: 1000, maxDelayMs: 60_000, factor: 2 })
  const delays = [1, 2, 3, 4, 5, 6, 7, 8].map((failures) => backoffMs(policy, failures, () => 0))
  expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
})

test('untilBack: a dozen failures in half a minute, then at most a minute apart', () => {
  const delays = Array.from({ length: 30 }, (_, index) => backoffMs(untilBack, index + 1, () => 0))
  expect(delays.slice(0, 12).reduce((sum, delay) => sum + delay)).toBeLessThan(30_000)
  expect(delays.at(-1)).toBe(60_000)
})

test('jitter only lengthens, and never past the cap', () => {
  const policy = retry({ minDelayMs: 100, maxDelayMs: 5000, factor: 3 })
  assert(
    property(integer({ min: 1, max: 1e6 }), double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const delay = backoffMs(policy, failures, () => random)
      expect(delay).toBeGreaterThanOrEqual(backoffMs(policy, failures, () => 0))
      expect(delay).toBeLessThanOrEqual(5000)
    }),
  )
})

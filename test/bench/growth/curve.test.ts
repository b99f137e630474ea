import { expect, test } from 'vitest'
import { powerOf } from './curve.ts'

test.each([
  [0, (x: number) => 7 + 0 * x],
  [1, (x: number) => 3 * x],
  [2, (x: number) => x * x],
])('what grows by the power of %d is told so, whatever is fixed in the beginning', (power, price) => {
  const points = [1, 10, 100, 1000, 10_000].map((x) => ({ x, figures: { us: price(x) + (x < 100 ? 1000 : 0) } }))
  expect(powerOf(points, 'us')).toBeCloseTo(power, 5)
})

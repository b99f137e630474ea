import { expect, test } from 'vitest'
import { withDefaults } from '../../src/runs/run.ts'

test.each([
  [{}, { perSecond: 100, atOnce: 1000, mostRedrives: 10, mostFailures: 100 }],
  [{ perSecond: 2000 }, { perSecond: 2000, atOnce: 2000 }],
  [{ perSecond: 1_000_000 }, { atOnce: 3000 }],
  [{ perSecond: 1_000_000, atOnce: 1 }, { atOnce: 1 }],
])('of a run with the limits %o those not said are %o', (given, limits) => {
  expect(withDefaults(given)).toMatchObject(limits)
})

import { expect, it } from 'vitest'
import { redriveUnderKills } from './poisoned.ts'

it.each([1, 2, 3])('500 poison messages among 5,000 are redriven once each under kills (seed %i)', async (seed) => {
  await redriveUnderKills({ orders: 5000, seed, kills: 12 })
  expect.hasAssertions()
})

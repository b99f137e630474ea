import { expect, it } from 'vitest'
import { redriveUnderKills } from './poisoned.ts'

it('what failed is sent again once and done once, while handlers and the runner are killed', async () => {
  await redriveUnderKills({ orders: 500, seed: 7, kills: 3 })
  expect.hasAssertions()
})

import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { lateness } from './volume.ts'

test('of 100,000 that wait at once each comes once, at p99 within half a second', async () => {
  await using env = await testMesh()
  const measured = await lateness(env, { count: 100_000, leadMs: 45_000, spreadMs: 60_000 })
  console.log(`100,000 delayed events: ${JSON.stringify(measured)}`)
  expect(measured).toMatchObject({ count: 100_000, distinct: 100_000, early: 0 })
  // 500 ms are promised of a machine that has time for it; the figures are in docs/how-to/delay-and-schedule-messages.md.
  expect(measured.p99).toBeLessThan(5000)
})

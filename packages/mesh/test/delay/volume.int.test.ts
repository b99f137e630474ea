import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { lateness } from './volume.ts'

test('of 5,000 that wait at once each comes once, and no later than it should', async () => {
  await using env = await testMesh()
  const measured = await lateness(env, { count: 5000, leadMs: 5000, spreadMs: 5000 })
  console.log(`5,000 delayed events: ${JSON.stringify(measured)}`)
  expect(measured).toMatchObject({ count: 5000, distinct: 5000, early: 0 })
  // Half a second on a machine of its own (see the long test); a busy one may be several times slower.
  expect(measured.p99).toBeLessThan(5000)
})

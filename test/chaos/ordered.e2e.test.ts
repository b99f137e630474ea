import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { walkThroughKills } from './ordered-kills.ts'

test('owners killed and stopped while their keys hold retries: no step out of order, none lost', async () => {
  await using t = await testMesh()
  const verdict = await walkThroughKills(t, { keys: 300, each: 60, rounds: 4 })
  expect(verdict.inversions).toEqual([])
  expect(verdict.stale).toEqual([])
  expect(verdict.lost).toEqual([])
  // At most what ran, or had ended a moment ago, in each process that was killed or stopped.
  expect(verdict.repeats).toBeLessThan(4 * 200)
})

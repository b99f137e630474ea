import { expect, test } from 'vitest'
import { walkThroughKills } from './ordered-kills.ts'

test('owners killed and stopped while their keys hold retries: no step out of order, none lost', async () => {
  const [keys, rounds] = [300, 4]
  const verdict = await walkThroughKills({ keys, each: 60, rounds })
  expect(verdict.inversions).toEqual([])
  // A process that is stopped between its look at the clocks and the first line of the handler makes that one call: the
  // fence tells it.
  expect(verdict.stale.length).toBeLessThanOrEqual(rounds / 2)
  expect(verdict.lost).toEqual([])
  // What was begun and not on record: at most one step a key each time.
  expect(verdict.repeats).toBeLessThanOrEqual(keys * rounds)
})

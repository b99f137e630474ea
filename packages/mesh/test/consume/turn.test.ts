import { expect, test } from 'vitest'
import { Turn } from '../../src/consume/turn.ts'

test('a turn has an end, and what is left goes on in a later one', async () => {
  let later = 0
  const turn = new Turn(() => later++)
  const started = performance.now()
  while (turn.hasTime()) expect(performance.now() - started).toBeLessThan(5000)
  expect(later).toBe(0)
  await new Promise(setImmediate)
  expect(later).toBe(1)
  expect(turn.hasTime()).toBe(true)
})

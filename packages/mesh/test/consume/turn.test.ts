import { expect, test } from 'vitest'
import { Turn } from '../../src/consume/turn.ts'

test('a turn has an end, and what is left goes on in a later one', async () => {
  let later = 0
  const turn = new Turn(() => later++)
  turn.spend(9)
  expect(turn.hasTime).toBe(true)
  turn.spend(2)
  expect(turn.hasTime).toBe(false)
  expect(later).toBe(0)
  await new Promise(setImmediate)
  expect(later).toBe(1)
  expect(turn.hasTime).toBe(true)
})

test('a turn that was not used up calls for nothing, and the next one is a whole one', async () => {
  let later = 0
  const turn = new Turn(() => later++)
  turn.spend(9)
  await new Promise(setImmediate)
  turn.spend(9)
  expect(turn.hasTime).toBe(true)
  await new Promise(setImmediate)
  expect(later).toBe(0)
})

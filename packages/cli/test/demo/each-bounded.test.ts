import { expect, test } from 'vitest'
import { eachBounded } from '../../src/demo/each-bounded.ts'

test('every item is worked on once, never more at a time than allowed', async () => {
  const seen: number[] = []
  let running = 0
  let most = 0
  await eachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    seen.push(item)
    running--
  })
  expect(seen.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(most).toBe(3)
})

test('the first failure is what it rejects with, and nothing new is begun after it', async () => {
  const begun: number[] = []
  const work = async (item: number): Promise<void> => {
    begun.push(item)
    await Promise.resolve()
    if (item === 2) throw new Error('no 2')
  }
  await expect(eachBounded([1, 2, 3, 4, 5, 6, 7, 8], 2, work)).rejects.toThrow('no 2')
  expect(begun.length).toBeLessThan(8)
})

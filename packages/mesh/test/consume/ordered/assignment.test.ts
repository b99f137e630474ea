import { expect, test } from 'vitest'
import { assign } from '../../../src/consume/ordered/assignment.ts'

const members = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`)

function loads(assigned: readonly string[]): number[] {
  const counts = new Map<string, number>()
  for (const member of assigned) counts.set(member, (counts.get(member) ?? 0) + 1)
  return [...counts.values()]
}

test.each([
  [1, 16],
  [3, 16],
  [5, 16],
  [16, 16],
  [7, 256],
])('%i members share %i partitions fairly: nobody has two more than another', (count, partitions) => {
  const assigned = assign(members(count), partitions)
  expect(assigned).toHaveLength(partitions)
  expect(loads(assigned)).toHaveLength(count)
  expect(Math.max(...loads(assigned)) - Math.min(...loads(assigned))).toBeLessThanOrEqual(1)
})

test('with more members than partitions each has one at most', () => {
  expect(Math.max(...loads(assign(members(40), 16)))).toBe(1)
})

test('nobody gets anything of nobody', () => {
  expect(assign([], 16)).toEqual([])
})

test('one more member takes its share, and little else moves', () => {
  const before = assign(members(4), 256)
  const after = assign(members(5), 256)
  const moved = before.filter((member, partition) => after[partition] !== member).length
  // 51 have to move; what the bound shifts among the others comes on top.
  expect(moved).toBeLessThan(120)
})

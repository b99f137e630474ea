import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lanes } from '../src/relay/lanes.ts'

const LIMITS = { rows: 100, bytes: 1e9, perLane: 4, except: new Set<number>() }
const row = (id: number, orderKey?: string, waitMs = 0) => ({ id, orderKey, waitMs, bytes: 10, partition: 0 })

test('a key gives its rows in order, and none while some are with the sender', () => {
  const lanes = new Lanes()
  for (let id = 1; id <= 6; id += 1) lanes.add(row(id, 'a'), 0)
  lanes.add(row(7, 'b'), 0)
  const [a, b] = lanes.take(0, LIMITS)
  expect(a?.rows.map(({ id }) => id)).toEqual([1, 2, 3, 4])
  expect(b?.rows.map(({ id }) => id)).toEqual([7])
  expect(lanes.take(0, LIMITS)).toEqual([])
  lanes.give(a!.lane, a!.rows.slice(2), 0)
  expect(lanes.take(0, LIMITS)[0]?.rows.map(({ id }) => id)).toEqual([3, 4, 5, 6])
})

test('a held key waits; rows without a key are each on their own', () => {
  const lanes = new Lanes()
  lanes.add(row(1, 'a', 500), 1_000)
  lanes.add(row(2, undefined, 500), 1_000)
  lanes.add(row(3), 1_000)
  expect(lanes.take(1_000, LIMITS).flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual([3])
  expect(lanes.nextAt(1_000)).toBe(1_500)
  expect(lanes.take(1_500, LIMITS).flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual([1, 2])
})

test('limits of rows and bytes hold, and partitions that leave give nothing', () => {
  const lanes = new Lanes()
  for (let id = 1; id <= 10; id += 1) lanes.add({ ...row(id), partition: id % 2 }, 0)
  expect(lanes.take(0, { ...LIMITS, except: new Set([0]), rows: 2 }).length).toBe(2)
  expect(lanes.take(0, { ...LIMITS, except: new Set([0]), bytes: 15 }).length).toBe(2)
  lanes.forget(0)
  expect(lanes.size).toBe(1)
})

test('however many wait, each row comes once and in order', () => {
  const ops = fc.array(fc.record({ take: fc.boolean(), perLane: fc.integer({ min: 1, max: 50 }) }), { maxLength: 80 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), ops, (count, steps) => {
      const lanes = new Lanes()
      let cursor = 0
      const came: number[] = []
      const run = (perLane: number): void => {
        for (const lane of lanes.hungry()) {
          const from = (lane.leftBehind ?? 0) + 1
          const rows = Array.from({ length: Math.max(0, Math.min(64, cursor - from + 1)) }, (_, n) => row(from + n))
          lanes.feed(lane, rows, rows.length < 64)
        }
        for (const { lane, rows } of lanes.take(0, { ...LIMITS, perLane })) {
          came.push(...rows.map(({ id }) => id))
          lanes.give(lane, [], 0)
        }
      }
      for (const { take, perLane } of steps) {
        if (take) run(perLane)
        for (let n = 0; n < 20 && cursor < count; n += 1) lanes.add(row((cursor += 1), 'k'), 0)
      }
      while (came.length < cursor && came.at(-1) !== cursor) run(40)
      expect(came).toEqual(Array.from({ length: cursor }, (_, n) => n + 1))
    }),
  )
})

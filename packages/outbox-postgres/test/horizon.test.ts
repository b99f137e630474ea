import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Horizon } from '../src/relay/horizon.ts'

const writers = (...names: string[]): ReadonlySet<string> => new Set(names)

test('without transactions that add, all ids given out may be read', () => {
  const horizon = new Horizon()
  horizon.observe(7, writers())
  expect([horizon.readable, horizon.isHeld]).toEqual([7, false])
})

test('ids are held while a transaction that was there when they were given out runs, and no longer', () => {
  const horizon = new Horizon()
  horizon.observe(7, writers('a'))
  expect([horizon.readable, horizon.isHeld]).toEqual([0, true])
  horizon.observe(9, writers('a', 'b'))
  expect(horizon.readable).toBe(0)
  horizon.observe(12, writers('b', 'c'))
  expect(horizon.readable).toBe(7)
})

type Step = { kind: 'begin' | 'add' | 'end' | 'read'; of: number }

test('whatever transactions do, no row appears at or below an id that was said to be readable', () => {
  const step = fc.record<Step>({ kind: fc.constantFrom('begin', 'add', 'end', 'read'), of: fc.nat(4) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const horizon = new Horizon()
      const open = new Map<number, { name: string; ids: number[] }>()
      let lastId = 0
      let begun = 0
      const tooLate: number[] = []
      for (const { kind, of } of steps) {
        if (kind === 'begin' && !open.has(of)) open.set(of, { name: `t${(begun += 1)}`, ids: [] })
        if (kind === 'add') open.get(of)?.ids.push((lastId += 1))
        if (kind === 'read') horizon.observe(lastId, writers(...[...open.values()].map(({ name }) => name)))
        if (kind === 'end') {
          tooLate.push(...(open.get(of)?.ids ?? []).filter((id) => id <= horizon.readable))
          open.delete(of)
        }
      }
      expect(tooLate).toEqual([])
    }),
  )
})

test('with transactions without end in sight, but each of them ending, reading goes on', () => {
  const horizon = new Horizon()
  for (let n = 1; n <= 20; n += 1) horizon.observe(n * 10, writers(`t${n}`, `t${n + 1}`))
  expect(horizon.readable).toBeGreaterThan(150)
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Delivery } from '../../src/consume/delivery.ts'
import { ReadyQueue } from '../../src/consume/ready-queue.ts'
import type { Priority } from '../../src/message/priority.ts'

type Item = Delivery & { priority: Priority; n: number }
const item = (priority: Priority, n: number): Item => ({ priority, n }) as Item
const queue = (): ReadyQueue => new ReadyQueue((delivery) => (delivery as Item).priority)
const taken = (from: ReadyQueue, count: number): Item[] => Array.from({ length: count }, () => from.shift() as Item)

test('while all wait, of any ten starts in a row six are high, three normal and one is low', () => {
  const ready = queue()
  for (let n = 0; n < 100; n++) for (const priority of ['low', 'normal', 'high'] as const) ready.push(item(priority, n))
  for (let round = 0; round < 10; round++) {
    const counts = Object.groupBy(taken(ready, 10), ({ priority }) => priority)
    expect([counts.high?.length, counts.normal?.length, counts.low?.length]).toEqual([6, 3, 1])
  }
})

test('a priority that waits alone gets every start', () => {
  const ready = queue()
  for (let n = 0; n < 5; n++) ready.push(item('low', n))
  expect(taken(ready, 5).map(({ n }) => n)).toEqual([0, 1, 2, 3, 4])
  expect(ready.shift()).toBeUndefined()
  ready.push(item('high', 9))
  ready.push(item('low', 10))
  expect(taken(ready, 2).map(({ n }) => n)).toEqual([9, 10])
})

test('whatever comes and goes: order within a priority is kept, nothing is lost, and none waits for more than twenty starts at the head', () => {
  const priorities = fc.constantFrom<Priority>('high', 'normal', 'low')
  const step = fc.oneof(fc.record({ push: priorities }), fc.constant('shift' as const))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), fc.nat(40), (some, atFirst) => {
      const start = (['low', 'normal', 'high'] as const).flatMap((push) =>
        Array.from({ length: atFirst }, () => ({ push })),
      )
      const steps = [...start, ...some]
      const ready = queue()
      const waiting: Record<Priority, Item[]> = { high: [], normal: [], low: [] }
      const passedOver: Record<Priority, number> = { high: 0, normal: 0, low: 0 }
      for (const [n, one] of steps.entries()) {
        if (one !== 'shift') {
          const pushed = item(one.push, n)
          ready.push(pushed)
          waiting[one.push].push(pushed)
          continue
        }
        const got = ready.shift() as Item | undefined
        expect(got === undefined).toBe(Object.values(waiting).every(({ length }) => length === 0))
        if (!got) continue
        expect(got).toBe(waiting[got.priority].shift())
        for (const priority of ['high', 'normal', 'low'] as const) {
          passedOver[priority] =
            priority === got.priority || waiting[priority].length === 0 ? 0 : passedOver[priority] + 1
          expect(passedOver[priority]).toBeLessThanOrEqual(20)
        }
      }
      expect(ready.length).toBe(Object.values(waiting).flat().length)
      expect(ready.takeAll()).toHaveLength(Object.values(waiting).flat().length)
    }),
  )
})

test('one is taken out of its turn: the first that fits, and the rest stay in theirs', () => {
  const ready = queue()
  for (const n of [1, 2, 3]) ready.push(item('normal', n))
  expect(ready.first((delivery) => (delivery as Item).n === 9)).toBeUndefined()
  ready.take(ready.first((delivery) => (delivery as Item).n > 1)!)
  expect(ready.length).toBe(2)
  expect(taken(ready, 2).map(({ n }) => n)).toEqual([1, 3])
})

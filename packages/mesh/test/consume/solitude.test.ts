import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { AloneLine } from '../../src/consume/alone-line.ts'
import { Slots } from '../../src/consume/slots.ts'
import { Solitude } from '../../src/consume/solitude.ts'

const slotsOf = (size: number): Slots => new Slots(size, () => undefined)

test('one runs alone: all others are waited for, and none starts until it is over', async () => {
  const solitude = new Solitude()
  const [own, other] = [slotsOf(2), slotsOf(2)]
  let resumed = 0
  solitude.join(own.party(() => resumed++))
  solitude.join(other.party(() => resumed++))
  other.take()
  let ran = 0
  const end = Promise.withResolvers<void>()
  const alone = solitude.alone(async () => {
    ran++
    await end.promise
  })
  await turn()
  expect([ran, own.isFull, other.isFull]).toEqual([0, true, true])
  // One that comes to be meanwhile is still, too.
  const late = slotsOf(1)
  solitude.join(late.party(() => resumed++))
  expect(late.isFull).toBe(true)
  other.conclude()
  await turn()
  expect(ran).toBe(0)
  other.free()
  await turn()
  expect(ran).toBe(1)
  other.resize(5)
  expect([resumed, other.isFull]).toEqual([0, true])
  end.resolve()
  await alone
  expect([resumed, own.isFull, other.isFull, late.isFull]).toEqual([3, false, false, false])
})

test('a call that never came back is not waited for', async () => {
  const solitude = new Solitude()
  const slots = slotsOf(2)
  solitude.join(slots.party(() => undefined))
  slots.take()
  slots.leak()
  let ran = false
  await solitude.alone(() => Promise.resolve(void (ran = true)))
  expect(ran).toBe(true)
})

test('what ended a process least often goes first', async () => {
  const order: number[] = []
  const line = new AloneLine<{ crashes: number }>(new Solitude(), {
    onTurn: ({ crashes }) => Promise.resolve(void order.push(crashes)),
    isOpen: () => true,
  })
  for (const crashes of [3, 1, 2, 1]) line.add({ crashes })
  await turn()
  await turn()
  expect(order).toEqual([1, 1, 2, 3])
})

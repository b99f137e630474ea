import { expect, test } from 'vitest'
import { testClock } from '../src/test-clock.ts'

test('stands still until it is moved on', async () => {
  const clock = testClock(1_000)
  await new Promise((resolve) => void setImmediate(resolve))
  expect(clock.now()).toBe(1_000)
  await clock.advance(250)
  expect(clock.date()).toEqual(new Date(1_250))
})

test('runs what falls due in the order of its time, each at its own time', async () => {
  const clock = testClock(0)
  const ran: [string, number][] = []
  const note = (name: string) => () => void ran.push([name, clock.now()])
  clock.after(30, note('late'))
  clock.after(10, note('early'))
  clock.after(10, note('second'))
  clock.after(99, note('beyond'))
  await clock.advance(40)
  expect(ran).toEqual([
    ['early', 10],
    ['second', 10],
    ['late', 30],
  ])
  expect(clock.waiting).toBe(1)
  expect(clock.now()).toBe(40)
})

test('a loop that sleeps again and again is carried through the whole span', async () => {
  const clock = testClock(0)
  const woke: number[] = []
  const loop = (async () => {
    while (woke.length < 4) {
      await clock.sleep(10)
      woke.push(clock.now())
    }
  })()
  await clock.advance(1_000)
  await loop
  expect(woke).toEqual([10, 20, 30, 40])
})

test('a cancelled timer never runs, and an aborted sleep rejects with the reason', async () => {
  const clock = testClock(0)
  const cancel = clock.after(5, () => expect.unreachable('it was cancelled'))
  cancel()
  const control = new AbortController()
  const asleep = clock.sleep(5, { signal: control.signal })
  control.abort(new Error('enough'))
  await expect(asleep).rejects.toThrow('enough')
  await clock.advance(10)
  expect(clock.waiting).toBe(0)
})

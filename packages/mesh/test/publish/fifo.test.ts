import { expect, test } from 'vitest'
import { Fifo } from '../../src/publish/fifo.ts'

test('what went in first comes out first, whatever comes in and is taken out meanwhile', () => {
  const fifo = new Fifo<number>()
  const out: number[] = []
  expect(fifo.shift()).toBeUndefined()
  for (let n = 0; n < 100; n++) {
    fifo.push(2 * n)
    fifo.push(2 * n + 1)
    out.push(fifo.shift()!)
  }
  expect(fifo.size).toBe(100)
  expect(fifo.takeAll((n) => n % 10 === 0)).toEqual([100, 110, 120, 130, 140, 150, 160, 170, 180, 190])
  while (fifo.size > 0) out.push(fifo.shift()!)
  expect(fifo.shift()).toBeUndefined()
  expect(fifo.size).toBe(0)
  const all = Array.from({ length: 200 }, (_, n) => n)
  expect(out).toEqual(all.filter((n) => n < 100 || n % 10 !== 0))
})

// With an array's `shift` and `splice` this takes minutes.
test('one of three hundred thousand is emptied within the time of a test', () => {
  const fifo = new Fifo<number>()
  for (let n = 0; n < 300_000; n++) fifo.push(n)
  expect(fifo.takeAll((n) => n < 100_000)).toHaveLength(100_000)
  for (let n = 100_000; n < 300_000; n++) if (fifo.shift() !== n) throw new Error(`${n} is not in its place`)
  expect(fifo.size).toBe(0)
})

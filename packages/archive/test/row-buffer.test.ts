import { expect, test } from 'vitest'
import { type Row, toRow } from '../src/message/row.ts'
import { RowBuffer } from '../src/write/row-buffer.ts'
import { dueAtMs } from '../src/write/flush-policy.ts'

const NOV = Date.UTC(2026, 10, 30, 23, 59, 59)

function row(seq: number, { bytes = 10, atMs = NOV } = {}): Row {
  const message = { seq, subject: 's', storedAtNs: `${atMs}000000`, headers: {}, payload: Buffer.alloc(bytes) }
  return toRow({ stream: 'S', epoch: 1 }, message)
}

const limits = { rows: 3, bytes: 10_000 }

test('a batch holds no more rows than its limit, in order', () => {
  const buffer = new RowBuffer(limits, 1)
  for (let seq = 1; seq <= 4; seq += 1) buffer.push(row(seq), 0)
  expect(buffer.isFull).toBe(true)
  expect(buffer.take()).toMatchObject({ first: 1, last: 3, holes: [] })
  expect(buffer.take()).toMatchObject({ first: 4, last: 4 })
  expect(buffer.take()).toBeUndefined()
})

test('a batch holds no more bytes than its limit, but a row larger than that goes alone', () => {
  const buffer = new RowBuffer({ rows: 100, bytes: 10_000 }, 1)
  buffer.push(row(1, { bytes: 5_000 }), 0)
  buffer.push(row(2, { bytes: 50_000 }), 0)
  buffer.push(row(3), 0)
  expect(buffer.take()?.rows.map((one) => one[2])).toEqual([1])
  expect(buffer.take()?.rows.map((one) => one[2])).toEqual([2])
  expect(buffer.take()?.rows.map((one) => one[2])).toEqual([3])
})

test('a batch never spans two months: an insert into two partitions could be stored by half', () => {
  const buffer = new RowBuffer(limits, 1)
  buffer.push(row(1), 0)
  buffer.push(row(2, { atMs: NOV + 1_000 }), 0)
  expect(buffer.take()).toMatchObject({ first: 1, last: 1 })
  expect(buffer.take()).toMatchObject({ first: 2, last: 2 })
})

test('sequences that were passed over are holes of the batch behind them, across batches too', () => {
  const buffer = new RowBuffer(limits, 5)
  for (const seq of [7, 8, 10, 12]) buffer.push(row(seq), 0)
  expect(buffer.take()?.holes).toEqual([
    { first: 5, last: 6 },
    { first: 9, last: 9 },
  ])
  expect(buffer.take()?.holes).toEqual([{ first: 11, last: 11 }])
})

test('an insert is due at once when full, at the pace when caught up, at the age otherwise', () => {
  const times = { flushMs: 1_000, paceMs: 250 }
  const state = { isFull: false, caughtUp: false, oldestAtMs: 10_000, lastInsertAtMs: 9_900 }
  expect(dueAtMs({ ...state, isFull: true }, times)).toBe(0)
  expect(dueAtMs(state, times)).toBe(11_000)
  expect(dueAtMs({ ...state, caughtUp: true }, times)).toBe(10_150)
  expect(dueAtMs({ ...state, caughtUp: true, lastInsertAtMs: 0 }, times)).toBeLessThan(10_000)
})

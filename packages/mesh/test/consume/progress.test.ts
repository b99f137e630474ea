import { expect, test } from 'vitest'
import { progress, united } from '../../src/consume/progress.ts'

test('the handler is past its floor, and never goes back', () => {
  expect(progress(0, { firstSeq: 1, ackFloor: 40 })).toEqual({ settled: 40, expired: undefined })
  expect(progress(60, { firstSeq: 1, ackFloor: 40 })).toEqual({ settled: 60, expired: undefined })
})

test('what aged out in between is found, even when everything else looks healthy', () => {
  expect(progress(10, { firstSeq: 31, ackFloor: 10 })).toEqual({ settled: 30, expired: { from: 11, to: 30 } })
})

test('a floor that jumped over what is gone hides nothing', () => {
  expect(progress(10, { firstSeq: 31, ackFloor: 35 })).toEqual({ settled: 35, expired: { from: 11, to: 30 } })
})

test('events of others that age out are no loss for a handler that was past them', () => {
  expect(progress(100, { firstSeq: 90, ackFloor: 5 }).expired).toBeUndefined()
})

test('an emptied stream loses nothing that was settled', () => {
  expect(progress(100, { firstSeq: 101, ackFloor: 100 })).toEqual({ settled: 100, expired: undefined })
})

test('what several durables of a handler missed is told once, whole, and nothing beside it', () => {
  expect(united([])).toEqual([])
  const ranges = [
    { from: 5, to: 9 },
    { from: 1, to: 3 },
    { from: 4, to: 6 },
    { from: 12, to: 12 },
    { from: 5, to: 9 },
  ]
  expect(united(ranges)).toEqual([
    { from: 1, to: 9 },
    { from: 12, to: 12 },
  ])
  expect(ranges[0]).toEqual({ from: 5, to: 9 })
})

import { expect, test } from 'vitest'
import { progress } from '../../src/consume/progress.ts'

const look = { firstSeq: 1, lastSeq: 100, ackFloor: 0, pending: 0, ackPending: 0 }

test('with nothing pending the handler is past all that the stream held', () => {
  expect(progress(0, { ...look, ackFloor: 40 })).toEqual({ settled: 100, expired: undefined })
})

test('with work pending it is past its floor', () => {
  expect(progress(0, { ...look, ackFloor: 40, pending: 3 })).toEqual({ settled: 40, expired: undefined })
  expect(progress(60, { ...look, ackFloor: 40, ackPending: 1 })).toEqual({ settled: 60, expired: undefined })
})

test('what aged out in between is found, even when everything else looks healthy', () => {
  expect(progress(10, { ...look, firstSeq: 31, ackFloor: 10 })).toEqual({ settled: 100, expired: { from: 11, to: 30 } })
})

test('a floor that jumped over what is gone hides nothing', () => {
  expect(progress(10, { ...look, firstSeq: 31, ackFloor: 35 }).expired).toEqual({ from: 11, to: 30 })
})

test('the first look trusts the floor: nothing was delivered since', () => {
  expect(progress(10, { ...look, firstSeq: 31, ackFloor: 20 }, true).expired).toEqual({ from: 21, to: 30 })
  expect(progress(10, { ...look, firstSeq: 31, ackFloor: 30 }, true).expired).toBeUndefined()
})

test('events of others that age out are no loss for a handler that had caught up', () => {
  expect(progress(100, { ...look, firstSeq: 90, lastSeq: 120, ackFloor: 5 }).expired).toBeUndefined()
})

test('an emptied stream loses nothing that was settled', () => {
  expect(progress(100, { ...look, firstSeq: 101, lastSeq: 100, ackFloor: 100 })).toEqual({
    settled: 100,
    expired: undefined,
  })
})

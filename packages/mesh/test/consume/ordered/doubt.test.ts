import { expect, test } from 'vitest'
import { Doubt } from '../../../src/consume/ordered/doubt.ts'
import { decodeRecord, encodeRecord } from '../../../src/consume/ordered/partition-record.ts'

test('in doubt is what was in the stream when the third owner in a row had not let go, and nothing else', () => {
  expect(new Doubt({ unclean: 2, doubtful: 10 }).isIn(10)).toBe(false)
  const doubt = new Doubt({ unclean: 3, doubtful: 10 })
  expect([doubt.isIn(10), doubt.isIn(11)]).toEqual([true, false])
})

test('a record counts what was begun and did not come back, and forgets it with what is settled', () => {
  const doubt = new Doubt({ unclean: 3, doubtful: 10, begun: [[7, 2]] })
  doubt.begin(7)
  doubt.begin(8)
  doubt.begin(9)
  doubt.end(9)
  expect(doubt.snapshot(5)).toEqual({
    unclean: 3,
    doubtful: 10,
    begun: [
      [7, 3],
      [8, 1],
    ],
  })
  doubt.end(7)
  expect(doubt.crashesOf(7)).toBe(2)
  doubt.settle(8)
  expect(doubt.snapshot(11)).toEqual({})
  expect(doubt.isIn(10)).toBe(false)
})

test('what a partition knows of crashes is in its record', () => {
  const record = { epoch: 1, fence: 1, owner: '', writes: 1, read: 9, seen: 9, seenAt: '1', running: [], open: [] }
  const doubt = { unclean: 1, doubtful: 4, begun: [[3, 2]] as const }
  expect(decodeRecord(encodeRecord({ ...record, ...doubt }))).toEqual({ ...record, ...doubt })
  expect(() => decodeRecord(encodeRecord({ ...record, ...doubt, unclean: -1 }))).toThrow('MESH_TOPOLOGY')
})

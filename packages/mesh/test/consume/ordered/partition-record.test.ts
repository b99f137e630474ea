import { expect, test } from 'vitest'
import { decodeRecord, encodeRecord, type PartitionRecord } from '../../../src/consume/ordered/partition-record.ts'

const record: PartitionRecord = {
  epoch: 1_795_271_400,
  fence: 1_795_271_400_123,
  owner: 'a1b2c3',
  writes: 7,
  read: 9_007_199_254_000_000,
  seen: 9_007_199_254_000_000,
  seenAt: '1795277533582000001',
  running: [17, 18, 4_000, 9_007_199_253_999_999],
  open: [
    { from: 12, token: 'o1' },
    {
      from: 14,
      token: '=w7Zh',
      retry: { attempts: 3, failures: 2, firstFailureAt: 1, dueAt: 1_795_271_401_000, delayMs: 900 },
    },
  ],
  held: [{ token: 'o1', behind: { epoch: 1_795_271_400, seq: 11, storedAt: '1795277533582000001' } }],
}

test('a record is read as it was written', () => {
  expect(decodeRecord(encodeRecord(record))).toEqual(record)
  const { held: _, ...rest } = record
  const empty = { ...rest, running: [], open: [] }
  expect(decodeRecord(encodeRecord(empty))).toEqual(empty)
})

test('a hundred keys being worked on take a few bytes each', () => {
  const running = Array.from({ length: 100 }, (_, index) => 10_000_000 + index * 37)
  expect(encodeRecord({ ...record, open: [], held: [], running }).length).toBeLessThan(600)
})

test('a record of a newer release is refused', () => {
  const newer = encodeRecord(record).replace('"v":1', '"v":2')
  expect(() => decodeRecord(newer)).toThrow('upgrade this service')
})

test.each([
  '',
  'null',
  '{}',
  '{"v":1}',
  encodeRecord(record).replace('"running":"', '"running":"! '),
  encodeRecord(record).replace('"open":[', '"open":[7,'),
  encodeRecord(record).replace('"held":[', '"held":[["o1","11"],'),
  encodeRecord(record).replace('"fence":', '"fence":"x","other":'),
])('a value that is no record is refused and not taken: %j', (text) => {
  expect(() => decodeRecord(text)).toThrow("MESH_TOPOLOGY: a partition's record was not written by this library")
})

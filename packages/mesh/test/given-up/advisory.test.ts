import { expect, test } from 'vitest'
import { readAdvisory } from '../../src/given-up/advisory.ts'
import { isCovered } from '../../src/given-up/bring-back.ts'

const told = { stream: 'JOBS', consumer: 'worker_work', stream_seq: 7, timestamp: '2026-11-22T10:00:00.5Z' }

test('what the server tells is read, to the nanosecond', () => {
  expect(readAdvisory(JSON.stringify({ ...told, deliveries: 3 }))).toEqual({
    stream: 'JOBS',
    durable: 'worker_work',
    seq: 7,
    at: String(BigInt(Date.parse(told.timestamp)) * 1_000_000n),
  })
})

test.each([
  '',
  '7',
  'null',
  '{"stream',
  '{}',
  JSON.stringify({ ...told, stream_seq: '7' }),
  JSON.stringify({ ...told, timestamp: 'soon' }),
])('anything else that somebody publishes there is none: %j', (payload) =>
  expect(readAdvisory(payload)).toBeUndefined(),
)

test('what was told is done with where the durable was set back to it since', () => {
  const one = { seq: 7, at: '1795341600500000000' }
  expect(isCovered(one, undefined)).toBe(false)
  expect(isCovered(one, { at: '1795341600500000001', from: 7 })).toBe(true)
  expect(isCovered(one, { at: '1795341600500000001', from: 8 })).toBe(false)
  expect(isCovered(one, { at: '1795341600499999999', from: 1 })).toBe(false)
  // Of another length: compared as numbers.
  expect(isCovered({ seq: 7, at: '999' }, { at: '1000', from: 1 })).toBe(true)
})

import type { StreamInfo } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { alarmOf, retentionOf } from '../src/watch/retention.ts'

const HOUR = 3_600_000

function info(config: object, state: object = {}): StreamInfo {
  return { config: { max_age: 0, max_bytes: -1, max_msgs: -1, discard: 'old', ...config }, state } as StreamInfo
}

test('by age: how much of max_age has passed for the oldest, and when it ends', () => {
  const used = retentionOf(info({ max_age: 10 * HOUR * 1e6 }), { messages: 1, oldestAtMs: 0, bytesPerMs: 0 }, 5 * HOUR)
  expect(used).toEqual({ usedRatio: 0.5, lostAtMs: 10 * HOUR })
})

test('by size, where the stream drops its oldest: the share of what is not archived, and when it fills at this rate', () => {
  const stream = info({ max_bytes: 1_000 }, { bytes: 900, messages: 90 })
  expect(retentionOf(stream, { messages: 80, oldestAtMs: 0, bytesPerMs: 2 }, 1_000)).toEqual({
    usedRatio: 0.8,
    lostAtMs: 1_100,
  })
})

test('a stream that refuses new events when full loses none by its size', () => {
  const stream = info({ max_bytes: 1_000, discard: 'new' }, { bytes: 1_000, messages: 10 })
  expect(retentionOf(stream, { messages: 10, oldestAtMs: 0, bytesPerMs: 0 }, 1)).toEqual({
    usedRatio: 0,
    lostAtMs: undefined,
  })
})

test('alarms are at 50 and 80 percent', () => {
  expect([0.49, 0.5, 0.79, 0.8, 3].map(alarmOf)).toEqual([0, 50, 50, 80, 80])
})

import type { StreamConfig, StreamState } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import type { SavedStream } from '../../src/recovery/manifest.ts'
import { differences } from '../../src/recovery/whole.ts'

const saved: SavedStream = {
  name: 'ORDERS',
  kind: 'events',
  epoch: 1,
  messages: 8,
  firstSeq: 3,
  lastSeq: 10,
  bytes: 1,
  sha256: '',
  durables: [],
}
const events = { retention: 'limits', max_age: 0, max_msgs_per_subject: -1 } as StreamConfig
const whole = { first_seq: 3, last_seq: 10, messages: 8 }

const of = (state: Partial<StreamState>, config: Partial<StreamConfig> = {}): string[] =>
  differences({ config: { ...events, ...config }, state: { ...whole, ...state } as StreamState }, saved)

test.each([
  ['what is as it was', {}, {}],
  ['lanes in which something came due', { first_seq: 9, last_seq: 12 }, { allow_msg_schedules: true }],
  ['what had a time to live', { first_seq: 5, messages: 6 }, { allow_msg_ttl: true }],
  ['what is too old', { first_seq: 11, messages: 0 }, { max_age: 1 }],
  ['what was written over while it was copied', { messages: 7 }, { max_msgs_per_subject: 1 }],
])('%s does not differ', (_, state, config) => {
  expect(of(state, config)).toEqual([])
})

test.each([
  [{ last_seq: 9, messages: 7 }, {}, ['last sequence 9 for 10', '7 messages for 8']],
  [{ last_seq: 9 }, { allow_msg_ttl: true, allow_msg_schedules: true }, ['last sequence 9 for 10']],
  [{ last_seq: 11 }, { allow_msg_ttl: true }, ['last sequence 11 for 10']],
  [{ first_seq: 1, messages: 10 }, { max_age: 1 }, ['first sequence 1 for 3', '10 messages for 8']],
  [{ first_seq: 5, messages: 6 }, {}, ['first sequence 5 for 3', '6 messages for 8']],
])('%o of a stream with %o differs', (state, config, said) => {
  expect(of(state, config)).toEqual(said)
})

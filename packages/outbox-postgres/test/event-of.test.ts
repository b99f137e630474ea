import { expect, test } from 'vitest'
import { eventOf } from '../src/relay/event-of.ts'

const envelope = {
  id: 'e1',
  type: 'job.made',
  version: 1,
  source: '/me',
  time: '2026-11-21T12:00:09.120Z',
  correlationId: 'e1',
  contentType: 'application/json',
}
const row = { v: 1, envelope, stream: 'JOBS', subject: 'job.made', once: false, headers: [['x-a', 'b']], trace: [] }
const payload = new Uint8Array([1])

test('a row is the event that was prepared', () => {
  expect(eventOf(7, row, payload)).toEqual({ ...row, payload })
})

test.each([
  ['no object', 7],
  ['an id that is no text', { ...row, envelope: { ...envelope, id: 7 } }],
  ['a key that is no text', { ...row, envelope: { ...envelope, key: {} } }],
  ['a source that is missing', { ...row, envelope: { ...envelope, source: undefined } }],
  ['a stream that is no name', { ...row, stream: ['JOBS'] }],
  ['a header that is no pair', { ...row, headers: ['x-a'] }],
  ['a header that is no text', { ...row, headers: [['x-a', 1]] }],
])('a row written by hand with %s is refused as unreadable', (_, message) => {
  expect(eventOf(7, message, payload)).toMatchObject({ code: 'OUTBOX_UNREADABLE_ROW' })
})

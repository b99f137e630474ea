import { expect, test } from 'vitest'
import { isFull, readReply } from '../../src/publish/pub-ack.ts'

test('only an answer with stream and sequence says stored', () => {
  expect(readReply(undefined, '{"stream":"CENTERS","seq":7}')).toEqual({
    kind: 'stored',
    stream: 'CENTERS',
    seq: 7,
    duplicate: false,
  })
  expect(readReply(undefined, '{"stream":"CENTERS","seq":7,"duplicate":true}')).toMatchObject({
    kind: 'stored',
    duplicate: true,
  })
  expect(readReply(undefined, '{}')).toMatchObject({ kind: 'refused' })
  expect(readReply(undefined, 'hello')).toMatchObject({ kind: 'refused' })
  expect(readReply(undefined, '')).toMatchObject({ kind: 'refused' })
})

test.each([
  'null',
  '[]',
  '7',
  '{"stream":"","seq":1}',
  '{"stream":"A","seq":0}',
  '{"stream":"A","seq":1.5}',
  '{"error":7}',
])('an answer that says nothing is never stored: %s', (body) => expect(readReply(undefined, body).kind).toBe('refused'))

test.each([
  [503, ''],
  [undefined, '{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}'],
  [undefined, '{"error":{"code":429,"err_code":10167,"description":"too many requests"}}'],
  [undefined, '{"error":{"code":400,"err_code":10164,"description":"in flight"}}'],
])('status %s with %s asks to come again', (status, body) => {
  expect(readReply(status, body).kind).toBe('again')
})

test('a full stream is told from a letter that is there already', () => {
  expect(isFull(10077, 'maximum bytes exceeded')).toBe(true)
  expect(isFull(10077, 'maximum messages per subject exceeded')).toBe(false)
  expect(isFull(10071, 'wrong last sequence: 3')).toBe(false)
})

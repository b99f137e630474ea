import { expect, test } from 'vitest'
import { isFull, readReply, ReplyReader } from '../../src/publish/pub-ack.ts'

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

/** An answer, and how often it was read as text. */
function answer(body: string): { data: Uint8Array; string: () => string; timesRead: () => number } {
  let times = 0
  const string = (): string => (times++, body)
  return { data: new TextEncoder().encode(body), string, timesRead: () => times }
}

function readerOf(...bodies: string[]): ReplyReader {
  const reader = new ReplyReader()
  for (const body of bodies) reader.read(answer(body))
  return reader
}

test.each([
  '{"stream":"ORDERS", "seq":17}',
  '{"stream":"ORDERS", "seq":900719925474099}',
  '{"stream":"A","domain":"hub","seq":2}',
])('an answer like one before is not read as text, and says the same: %s', (body) => {
  const again = answer(body)
  const reply = readerOf('{"stream":"ORDERS", "seq":1}', '{"stream":"A","domain":"hub","seq":1}').read(again)
  expect(reply).toEqual(readReply(undefined, body))
  expect(again.timesRead()).toBe(0)
})

test.each([
  '{"stream":"ORDERS", "seq":17, "duplicate": true}',
  '{"stream":"ORDERS", "seq":0}',
  '{"stream":"ORDERS", "seq":01}',
  '{"stream":"ORDERS", "seq":}',
  '{"stream":"ORDERS", "seq":1.5}',
  '{"stream":"ORDERS", "seq":-1}',
  '{"stream":"ORDERS", "seq":17} ',
  '{"stream":"ORDERS", "seq":17',
  '{"stream":"ORDERS", "seq":9007199254740993}',
  '{"stream":"OTHERS", "seq":17}',
  '{"stream":"ORDERS2", "seq":17}',
  '{"error":{"code":503,"err_code":10008}, "seq":1}',
  '',
])('any other answer is read as text: %s', (body) => {
  const other = answer(body)
  const reply = readerOf('{"stream":"ORDERS", "seq":17}').read(other)
  expect(reply).toEqual(readReply(undefined, body))
  expect(other.timesRead()).toBe(1)
})

test.each([
  '{"stream":"ORDERS", "seq":17, "duplicate": true}',
  '{"duplicate":true,"stream":"ORDERS","seq":17}',
  '{"seq":17,"stream":"ORDERS"}',
  '{"stream":"ORDERS", "seq":17,"of":17}',
])('what may differ in more than the sequence is read as text each time: %s', (body) => {
  const again = answer(body)
  expect(readerOf(body).read(again)).toEqual(readReply(undefined, body))
  expect(again.timesRead()).toBe(1)
})

import { expect, test } from 'vitest'
import { monthOf, ROW_COLUMNS, toRow } from '../src/message/row.ts'
import { parseAckReply, type StoredMessage } from '../src/message/stored-message.ts'

const target = { stream: 'CENTERS', epoch: 1_795_000_000 }

function row(message: Partial<StoredMessage> = {}): Record<string, unknown> {
  const whole: StoredMessage = {
    seq: 7,
    subject: 'center.registered',
    storedAtNs: '1795277321123456789',
    headers: {},
    payload: Buffer.from('{}'),
    ...message,
  }
  const values = toRow(target, whole)
  return Object.fromEntries(ROW_COLUMNS.map((name, index) => [name, values[index]]))
}

test('an event of the mesh fills every column', () => {
  const headers = {
    'ce-id': ['e-1'],
    'ce-type': ['center.registered'],
    'ce-source': ['/distribution-center'],
    'ce-time': ['2026-11-21T16:08:41.5Z'],
    'ce-correlationid': ['c-1'],
    'ce-causationid': ['e-0'],
    traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  }
  expect(row({ headers, payload: Buffer.from([0xff, 0, 0x41]) })).toEqual({
    stream: 'CENTERS',
    epoch: 1_795_000_000,
    seq: 7,
    subject: 'center.registered',
    event_id: 'e-1',
    event_type: 'center.registered',
    producer: '/distribution-center',
    correlation_id: 'c-1',
    causation_id: 'e-0',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    span_id: 'b7ad6b7169203331',
    occurred_at: '2026-11-21 16:08:41.500000',
    published_at: '2026-11-21 16:08:41.123456789',
    headers,
    payload_b64: '/wBB',
  })
})

test('a message without our headers is an event with empty columns, occurred when it was stored', () => {
  expect(row()).toMatchObject({ event_id: '', event_type: '', trace_id: '', occurred_at: '2026-11-21 16:08:41.123456' })
})

test('attributes are percent-decoded, and kept as they came when they are not decodable', () => {
  expect(row({ headers: { 'ce-id': ['S%C3%A3o%20Paulo'] } })['event_id']).toBe('São Paulo')
  expect(row({ headers: { 'ce-id': ['100%zz'] } })['event_id']).toBe('100%zz')
})

test('header names are found whatever their case', () => {
  expect(row({ headers: { 'Ce-Id': ['x'] } })['event_id']).toBe('x')
})

test.for([
  ['yesterday'],
  ['2026-13-45T99:00:00Z'],
  ['0001-01-01T00:00:00Z'],
  ['9999-12-31T23:59:59Z'],
  ['2026-11-21 16:08:41'],
  [''],
])('a ce-time of %j falls back to the time of storing', ([time]) => {
  expect(row({ headers: { 'ce-time': [time ?? ''] } })['occurred_at']).toBe('2026-11-21 16:08:41.123456')
})

test('a ce-time with an offset and nanoseconds is kept in UTC to the microsecond', () => {
  const headers = { 'ce-time': ['2026-11-21T13:08:41.123456789-03:00'] }
  expect(row({ headers })['occurred_at']).toBe('2026-11-21 16:08:41.123456')
})

test.for([['00-zz-b7ad6b7169203331-01'], ['garbage'], ['']])('a traceparent of %j leaves the trace empty', ([text]) => {
  expect(row({ headers: { traceparent: [text ?? ''] } })).toMatchObject({ trace_id: '', span_id: '' })
})

test('lone surrogates are replaced: ClickHouse would refuse the row', () => {
  const bad = row({ subject: 'a.\ud800', headers: { 'ce-id': ['\udc00'], x: ['\ud800'] } })
  expect(JSON.stringify(bad)).not.toMatch(/\\ud[89a-f]/)
})

test('a header called __proto__ is a header', () => {
  const headers = Object.fromEntries([['__proto__', ['x']]])
  expect(JSON.stringify(row({ headers })['headers'])).toBe('{"__proto__":["x"]}')
})

test('the month is that of storing', () => {
  const message = { seq: 1, subject: 's', storedAtNs: '1795277321123456789', headers: {}, payload: new Uint8Array() }
  expect(monthOf(toRow(target, message))).toBe('2026-11')
})

test('both forms of the reply subject are read, and nothing else', () => {
  const delivery = { seq: 12, consumerSeq: 3, storedAtNs: '1795277321123456789', pending: 4 }
  expect(parseAckReply('$JS.ACK.CENTERS.c1.1.12.3.1795277321123456789.4')).toEqual(delivery)
  expect(parseAckReply('$JS.ACK._.acchash.CENTERS.c1.1.12.3.1795277321123456789.4')).toEqual(delivery)
  expect(parseAckReply('$JS.ACK._.acchash.CENTERS.c1.1.12.3.1795277321123456789.4.rnd')).toEqual(delivery)
  const odd = ['', '_INBOX.x', '$JS.ACK.a.b', '$JS.ACK.C.c.1.x.3.1795277321123456789.4']
  const empty = ['$JS.ACK.C.c..12.3.1795277321123456789.4', '$JS.ACK.C.c.1.12.3.1795277321123456789.']
  for (const other of [undefined, ...odd, ...empty]) expect(parseAckReply(other)).toBeUndefined()
})

import { readEnvelope, receivedHeaders } from '@malha/mesh'
import { expect, test } from 'vitest'
import { type Envelope, envelopeHeaders, envelopeLines } from '../../src/message/envelope.ts'
import { headerLines } from '../../src/message/headers.ts'

const envelope: Envelope = {
  id: 'e1',
  type: 'center.registered',
  version: 2,
  source: '/distribution center/1',
  time: '2026-11-20T10:00:00.000Z',
  key: 'São Paulo 🚚',
  correlationId: 'c "1"',
  causationId: undefined,
  contentType: 'application/json',
}

const asReceived = (pairs: [string, string][]): ReturnType<typeof receivedHeaders> =>
  receivedHeaders(pairs.map(([name, value]): [string, string[]] => [name, [value]]))

test('what is written is read back', () => {
  expect(readEnvelope(asReceived(envelopeHeaders(envelope)))).toEqual(envelope)
})

test.each([
  {},
  { key: undefined, correlationId: 'e1', causationId: 'ä' },
  { version: 3 },
  { source: '/other' },
  { contentType: 'application/cbor' },
  { type: 'center.closed' },
])('the lines say what the headers say, whatever others of that type said before: %o', (other) => {
  for (const one of [envelope, { ...envelope, ...other }])
    expect(envelopeLines(one)).toBe(headerLines(envelopeHeaders(one)))
})

test('header names are read in any case', () => {
  const shouted = envelopeHeaders(envelope).map(([name, value]): [string, string] => [name.toUpperCase(), value])
  expect(readEnvelope(asReceived(shouted)).id).toBe('e1')
})

test('a message of another client says all that is missing', () => {
  expect(() => readEnvelope(receivedHeaders(undefined))).toThrow(
    /MESH_UNDECODABLE.*ce-specversion is missing, ce-id is missing, ce-type is missing, ce-source is missing/,
  )
})

test.each([
  ['ce-specversion', '0.3', 'not 1.x'],
  ['ce-dataschema', 'center.registered', '/<version>'],
  ['ce-dataschema', 'center.registered/0', '/<version>'],
  ['ce-dataschema', 'center.registered/1.5', '/<version>'],
])('%s: %s is a fault', (name, value, fault) => {
  const pairs = envelopeHeaders(envelope).map((pair): [string, string] => (pair[0] === name ? [name, value] : pair))
  expect(() => readEnvelope(asReceived(pairs))).toThrow(fault)
})

test('without ce-dataschema a message is of version 1, without a correlation it begins its own', () => {
  const minimal = asReceived([
    ['ce-specversion', '1.0'],
    ['ce-id', 'x'],
    ['ce-type', 'center.registered'],
    ['ce-source', '/other'],
  ])
  expect(readEnvelope(minimal)).toMatchObject({ version: 1, correlationId: 'x', key: undefined })
})

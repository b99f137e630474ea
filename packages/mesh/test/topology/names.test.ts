import { assert, constantFrom, nat, property, stringMatching } from 'fast-check'
import { expect, test } from 'vitest'
import { names } from '../../src/topology/names.ts'
import { stream } from '../../src/topology/stream.ts'

const token = stringMatching(/^[a-z0-9-]{1,16}$/)

const place = { stream: 'CENTERS', epoch: 17, seq: 4, storedAt: '99' }

test('without a namespace nothing is prefixed', () => {
  const plain = names('')
  expect(plain.stream('CENTERS')).toBe('CENTERS')
  expect(plain.subject('center.>')).toBe('center.>')
  expect(plain.strip('center.registered')).toBe('center.registered')
  expect(plain.bucket('STATUS')).toBe('STATUS')
  expect(plain.durable('provider', 'senninha')).toBe('provider_senninha')
  expect(plain.lanes('city-registration')).toBe('LANES_CITY-REGISTRATION')
})

test('a namespace is before every name', () => {
  const staging = names('staging')
  expect(staging.deadLetter('staging_provider_senninha', place)).toBe(
    'staging.dlq.staging_provider_senninha.CENTERS.17.4@99',
  )
  const centers = stream('CENTERS', { subjects: ['center.>'] })
  expect(staging.stream(centers)).toBe('staging_CENTERS')
  expect(staging.subject('center.>')).toBe('staging.center.>')
  expect(staging.bucket('STATUS')).toBe('staging_STATUS')
  expect(staging.durable('provider', 'senninha')).toBe('staging_provider_senninha')
  expect(staging.lanes('provider')).toBe('staging_LANES_PROVIDER')
  expect(staging.laneTarget('provider', 'createIt')).toBe('staging.lane.provider.createIt.now')
  expect(staging.laneSchedule('provider', 'createIt', place)).toBe('staging.lane.provider.createIt.at.CENTERS.17.4@99')
  expect(
    staging.deadLetter('staging_provider_senninha', { stream: 'staging_CENTERS', epoch: 17, from: 4, to: 9 }),
  ).toBe('staging.dlq.staging_provider_senninha.CENTERS.17.4-9')
})

test('the letter of a spool stands beside those of durables, none of which begins with an underscore', () => {
  expect(names('staging').spoolLetter('staging_CENTERS', 'a-b', 7)).toBe('staging.dlq._spool.CENTERS.a-b.7')
  expect(names('').spoolLetter('CENTERS', 'a-b', 7)).toBe('dlq._spool.CENTERS.a-b.7')
})

test('a done-marker is in the stream’s own branch, whatever the id', () => {
  const centers = stream('CENTERS', { subjects: ['center.>'] })
  const done = { service: 'provider', handler: 'createIt', id: 'c-1' }
  expect(names('staging').doneMarkers(centers)).toBe('staging._done.CENTERS.>')
  expect(names('staging').doneMarker(centers, done)).toBe('staging._done.CENTERS.provider.createIt.c-1')
  expect(names('').doneMarker(centers, { ...done, id: 'a.b/*>' })).toBe('_done.CENTERS.provider.createIt.=YS5iLyo-')
})

test('a lane takes a stream by either of its names', () => {
  const its = names('staging')
  expect(its.laneSchedule('a', 'b', { ...place, stream: 'staging_CENTERS' })).toBe(its.laneSchedule('a', 'b', place))
})

test('strip undoes subject, and leaves subjects of other namespaces as they are', () => {
  assert(
    property(constantFrom('', 'a', 'staging', 'x-1'), token, token, (namespace, one, two) => {
      const its = names(namespace)
      expect(its.strip(its.subject(`${one}.${two}`))).toBe(`${one}.${two}`)
    }),
  )
  expect(names('staging').strip('production.center.registered')).toBe('production.center.registered')
})

test('no two handlers, messages or namespaces share a durable, a lane or a letter', () => {
  const handler = stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/)
  const service = stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
  const space = constantFrom('', 'a', 'b-c')
  assert(
    property(space, space, service, service, handler, handler, nat(9), nat(9), (n, m, s, t, h, i, a, b) => {
      const same = n === m && s === t && h === i
      const [left, right] = [allOf(n, s, h, a), allOf(m, t, i, b)]
      expect(left[0] === right[0]).toBe(same)
      expect(left[1] === right[1]).toBe(same && a === b)
      expect(left[2] === right[2]).toBe(same && a === b)
    }),
  )
})

function allOf(namespace: string, service: string, handler: string, seq: number): string[] {
  const its = names(namespace)
  const durable = its.durable(service, handler)
  return [durable, its.laneSchedule(service, handler, { ...place, seq }), its.deadLetter(durable, { ...place, seq })]
}

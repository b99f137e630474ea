import { expect, test } from 'vitest'
import { parseAckSubject } from '../../src/consume/ack-subject.ts'

const expected = {
  stream: 'CENTERS',
  durable: 'provider_maas',
  deliveryCount: 2,
  streamSeq: 17,
  consumerSeq: 9,
  storedAt: '1795277533582000001',
  storedUs: 1_795_277_533_582_000,
  publishedAt: new Date(1_795_277_533_582),
  pending: 4,
}

test('both forms of the ack subject are read', () => {
  expect(parseAckSubject('$JS.ACK.CENTERS.provider_maas.2.17.9.1795277533582000001.4')).toMatchObject(expected)
  expect(parseAckSubject('$JS.ACK._.AbCdEf.CENTERS.provider_maas.2.17.9.1795277533582000001.4.x7')).toMatchObject(
    expected,
  )
})

test.each([
  '',
  'center.registered',
  '$JS.ACK.short',
  '$JS.API.INFO',
  '$JS.ACK.CENTERS.provider_maas.2.x.9.1795277533582000001.4',
  '$JS.ACK.CENTERS.provider_maas.2.17.9..4',
  '$JS.ACK.CENTERS.provider_maas.2.17.9.179527753358200000x.4',
  '$JS.ACK.CENTERS.provider_maas.2.17.9',
  '$JS.ACK.CENTERS.provider_maas.2.17.9.1795277533582000001.99999999999999999999',
  '$JS.ACK.CENTERS.provider_maas.2.17.9.10123456789400123456789.4',
])('%j is none', (subject) => {
  expect(parseAckSubject(subject)).toBeUndefined()
})

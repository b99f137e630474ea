import { expect, test } from 'vitest'
import { centerOnboarded, centerRegistered, centers, cityRegistered, partners, providerCreated } from '../src/index.ts'

const centerId = 'ctr_1'

test('every event is keyed by its centre', () => {
  const data = { centerId, name: 'n', city: { name: 'c', state: 's', country: 'BR' } }
  expect(centerRegistered.key?.(data)).toBe(centerId)
  expect(centerOnboarded.key?.({ centerId })).toBe(centerId)
  expect(cityRegistered.key?.({ centerId, registrationId: 'r' })).toBe(centerId)
})

test('a centre has one provider.created in each system, so each has a key of its own', () => {
  const keys = (['senninha', 'maas'] as const).map((system) =>
    providerCreated.key?.({ centerId, system, providerId: 'p' }),
  )
  expect(keys).toStrictEqual(['ctr_1-senninha', 'ctr_1-maas'])
})

test('the longest id leaves room for the system in the key', () => {
  const key = providerCreated.key?.({ centerId: 'x'.repeat(64), system: 'senninha', providerId: 'p' }) ?? ''
  expect(Buffer.byteLength(key)).toBeLessThanOrEqual(128)
})

test('no subject belongs to both streams', () => {
  const roots = [centers, partners].flatMap((stream) => stream.subjects.map((subject) => subject.split('.', 1)[0]))
  expect(new Set(roots).size).toBe(roots.length)
})

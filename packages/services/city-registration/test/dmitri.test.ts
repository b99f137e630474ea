/* oxlint-disable vitest/expect-expect -- a specification asserts in its .then(…) */
import { cityRegistered } from '@malha/contracts'
import type { PartnerCall, PartnerClient } from '@malha/partner-client'
import { specification } from '@malha/testing'
import { expect, test } from 'vitest'
import { cityRegistrationConfig } from '../src/config.ts'
import { dmitriCity } from '../src/dmitri.ts'
import { cityRegistration } from '../src/service.ts'

const city = { name: 'الرباط', state: 'Rabat-Salé', country: 'Morocco', geonameId: 2_538_475 }
const center = { centerId: 'c1', name: 'CD', city, address: 'Rue 1', capacity: 4 }

test('dmitri gets the city as it was written, and nothing of the centre but its id', () => {
  expect(dmitriCity(center)).toStrictEqual({ centerId: 'c1', ...city })
  const { geonameId: _, ...unnumbered } = city
  expect(dmitriCity({ ...center, city: unnumbered })).not.toHaveProperty('geonameId')
})

test('dmitri is asked under the id of the message, and its answer published once', async () => {
  const calls: PartnerCall<unknown>[] = []
  const dmitri: PartnerClient = {
    post: (call) => {
      calls.push(call)
      return call.answer.parseAsync({ registrationId: 'D1' })
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  await specification(cityRegistration(dmitri, '1.0.0').handlers['dmitri'])
    .given({ id: 'message-7' })
    .when(center)
    .then({ published: [[cityRegistered, { centerId: 'c1', registrationId: 'D1' }, { once: true }]] })
  expect(calls).toMatchObject([{ path: '/cities', idempotencyKey: 'message-7' }])
})

test('all faults of the configuration are told at once', () => {
  const env = { NATS_URL: '', HEALTH_PORT: 'x', DMITRI_URL: 'dmitri' }
  for (const name of Object.keys(env)) expect(() => cityRegistrationConfig(env)).toThrow(name)
  const good = { NATS_URL: 'nats://127.0.0.1:4222', DMITRI_URL: 'http://127.0.0.1:1' }
  expect(cityRegistrationConfig(good)).toMatchObject({ dmitri: { partner: 'dmitri', timeoutMs: 10_000 } })
})

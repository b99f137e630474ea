/* oxlint-disable vitest/expect-expect -- a specification asserts in its .then(…) */
import { providerCreated } from '@malha/contracts'
import type { PartnerCall, PartnerClient } from '@malha/partner-client'
import { specification } from '@malha/testing'
import { expect, test } from 'vitest'
import { provider } from '../src/service.ts'

const center = { centerId: 'c1', name: 'CD', city: { name: 'Natal', state: 'RN', country: 'Brazil' } }

test.for(['senninha', 'maas'] as const)(
  '%s is asked under the id of the message, and its answer published once',
  async (system) => {
    const clients = { senninha: answering({ id: 'S1' }), maas: answering({ providerId: 'M1' }) }
    const providerId = system === 'senninha' ? 'S1' : 'M1'
    await specification(provider(clients, '1.0.0').handlers[system])
      .given({ id: 'message-7' })
      .when(center)
      .then({ published: [[providerCreated, { centerId: 'c1', system, providerId }, { once: true }]] })
    expect(clients[system].calls).toMatchObject([{ idempotencyKey: 'message-7' }])
    expect(clients[system === 'maas' ? 'senninha' : 'maas'].calls).toEqual([])
  },
)

test('nothing is published when the partner fails', async () => {
  const failing: PartnerClient = { ...answering({}), post: () => Promise.reject(new Error('away')) }
  await specification(provider({ senninha: failing, maas: failing }, '1.0.0').handlers['maas'])
    .when(center)
    .then({ published: [], error: Error })
})

/** A partner that always says the same. */
function answering(answer: object): PartnerClient & { calls: PartnerCall<unknown>[] } {
  const calls: PartnerCall<unknown>[] = []
  return {
    calls,
    post: (call) => {
      calls.push(call)
      return call.answer.parseAsync(answer)
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

import { expect, test } from 'vitest'
import { startPartner } from '../src/index.ts'
import { answerOf, ask, failureOf, providerOf } from './call.ts'

const quick = { latencyMs: 0 }
const patient = { timeout: 20_000 }

test('the same key again gets the first answer and no second effect', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  const first = await answerOf(ask(partner, providerOf('c1'), 'k1'))
  const second = await answerOf(ask(partner, providerOf('c1'), 'k1'))
  expect(first).toEqual({ status: 201, body: { id: expect.any(String) } })
  expect(second).toEqual({ status: 200, body: first.body })
  expect(partner.received()).toEqual({
    created: 1,
    attempts: 2,
    byCenter: { c1: { effects: 1, attempts: 2, keys: ['k1'] } },
  })
})

test('effects count by the centre in the body, whatever the key', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  for (const key of ['k2', 'k1']) expect((await ask(partner, providerOf('c1'), key)).status).toBe(201)
  await ask(partner, providerOf('__proto__'), 'k3')
  const { created, byCenter } = (await answerOf(fetch(`${partner.controlUrl}/_received`))).body as ReturnType<
    typeof partner.received
  >
  expect(created).toBe(3)
  expect(byCenter['c1']).toEqual({ effects: 2, attempts: 2, keys: ['k1', 'k2'] })
  expect(Object.keys(byCenter)).toContain('__proto__')
})

test('a key that comes with another body, no key, and a wrong body are refused without an effect', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  await ask(partner, providerOf('c1'), 'k1')
  expect((await ask(partner, providerOf('c2'), 'k1')).status).toBe(422)
  expect((await ask(partner, providerOf('c2'))).status).toBe(400)
  const wrong = await answerOf(ask(partner, { centerId: 'c3', city: 'Belém', extra: 1 }, 'k3'))
  expect(wrong).toMatchObject({
    status: 400,
    body: { errors: [/^name: /, /^city: /, /extra/].map((at) => expect.stringMatching(at)) },
  })
  expect(partner.received().created).toBe(1)
})

test('each partner speaks its own dialect', async () => {
  await using maas = await startPartner({ partner: 'maas', ...quick })
  await using dmitri = await startPartner({ partner: 'dmitri', ...quick })
  const place = { state: 'Pará', country: 'Brazil' }
  const asMaas = { externalId: 'c1', displayName: 'CD', location: { city: 'Belém', ...place } }
  expect(await post(`${maas.url}/api/v1/providers`, asMaas)).toEqual({
    status: 201,
    body: { providerId: expect.any(String) },
  })
  const asDmitri = { centerId: 'c1', name: 'Belém', ...place, geonameId: 3_405_870 }
  expect(await post(`${dmitri.url}/cities`, asDmitri)).toEqual({
    status: 201,
    body: { registrationId: expect.any(String) },
  })
})

test('down cuts kept connections and refuses new ones; up listens on the same port again', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  const { url } = partner
  await (await ask(partner, providerOf('c1'), 'k1')).json()
  expect((await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'down' }))).status).toBe(200)
  for (let round = 0; round < 3; round++) expect(await failureOf(ask(url, providerOf('c1'), 'k1'))).toBe('ECONNREFUSED')
  expect((await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'up' }))).status).toBe(200)
  expect((await ask(url, providerOf('c1'), 'k1')).status).toBe(200)
  expect(partner.received()).toMatchObject({ created: 1, attempts: 2 })
})

test('down cuts a request that is under way', async () => {
  await using partner = await startPartner({ partner: 'senninha', latencyMs: 60_000 })
  const asked = failureOf(ask(partner, providerOf('c1'), 'k1'))
  await expect.poll(() => partner.received().attempts, patient).toBe(1)
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'down' }))
  expect(await asked).toBe('UND_ERR_SOCKET')
})

test('a partner that begins down refuses from the start and can come up', async () => {
  const fault = { mode: 'down', rate: 1, latencyMs: 0 } as const
  await using partner = await startPartner({ partner: 'senninha', ...quick, fault })
  expect(await failureOf(ask(partner, providerOf('c1'), 'k1'))).toBe('ECONNREFUSED')
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'up' }))
  expect((await ask(partner, providerOf('c1'), 'k1')).status).toBe(201)
})

test('error answers 500 always and does nothing', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'error' }))
  for (let round = 0; round < 10; round++) {
    const response = await ask(partner, providerOf('c1'), 'k1')
    expect([response.status, response.headers.get('retry-after')]).toEqual([500, null])
  }
  expect(partner.received()).toEqual({
    created: 0,
    attempts: 10,
    byCenter: { c1: { effects: 0, attempts: 10, keys: ['k1'] } },
  })
})

test('flaky answers 503 at its rate, with Retry-After only when told', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'flaky' }))
  const statuses = await Promise.all(
    Array.from({ length: 100 }, async (_, at) => (await ask(partner, providerOf(`c${at}`), `k${at}`)).status),
  )
  const refused = statuses.filter((status) => status === 503).length
  expect(statuses.filter((status) => status === 201)).toHaveLength(100 - refused)
  // Outside 20 to 80 of 100 fair coins: less than once in 10^9 runs.
  expect(refused).toBeGreaterThan(20)
  expect(refused).toBeLessThan(80)
  expect(partner.received().created).toBe(100 - refused)

  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'flaky', rate: 1, retryAfterS: 7 }))
  const response = await ask(partner, providerOf('c1'), 'k1')
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7'])
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'flaky', rate: 1 }))
  expect((await ask(partner, providerOf('c1'), 'k1')).headers.get('retry-after')).toBeNull()
})

test('lost-reply does the work and cuts the connection', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'lost-reply' }))
  expect(await failureOf(ask(partner, providerOf('c1'), 'k1'))).toBe('UND_ERR_SOCKET')
  expect(partner.received().created).toBe(1)
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'up' }))
  expect((await ask(partner, providerOf('c1'), 'k1')).status).toBe(200)
  expect(partner.received().created).toBe(1)
})

test('forgetful does the work again for a key it has seen', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'forgetful' }))
  const answers = [
    await answerOf(ask(partner, providerOf('c1'), 'k1')),
    await answerOf(ask(partner, providerOf('c1'), 'k1')),
  ]
  expect(answers.map(({ status }) => status)).toEqual([201, 201])
  expect(answers[0]?.body).not.toEqual(answers[1]?.body)
  expect(partner.received().byCenter['c1']).toEqual({ effects: 2, attempts: 2, keys: ['k1'] })
})

test('slow answers late, and does the work even when nobody waits for it', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  await fetch(`${partner.controlUrl}/_fault`, put({ mode: 'slow', latencyMs: 1_000 }))
  const begun = performance.now()
  expect((await ask(partner, providerOf('c1'), 'k1')).status).toBe(201)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(995)
  const hangUp = new AbortController()
  const hasty = fetch(`${partner.url}/providers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k2' },
    body: JSON.stringify(providerOf('c2')),
    signal: hangUp.signal,
  }).catch((error: unknown) => (error as Error).name)
  await expect.poll(() => partner.received().byCenter['c2'], patient).toMatchObject({ effects: 0, attempts: 1 })
  hangUp.abort()
  expect(await hasty).toBe('AbortError')
  await expect.poll(() => partner.received().byCenter['c2']?.effects, patient).toBe(1)
})

test('a fault that makes no sense is refused with everything that is wrong, and changes nothing', async () => {
  await using partner = await startPartner({ partner: 'senninha', ...quick })
  const refused = await answerOf(
    fetch(`${partner.controlUrl}/_fault`, put({ mode: 'off', rate: 2, retryAfterS: -1, colour: 'red' })),
  )
  expect(refused).toMatchObject({
    status: 400,
    body: { errors: [/^mode: /, /^rate: /, /^retryAfterS: /, /colour/].map((at) => expect.stringMatching(at)) },
  })
  expect((await answerOf(fetch(`${partner.controlUrl}/_fault`))).body).toMatchObject({ mode: 'up' })
})

function post(url: string, body: object): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' }
  return answerOf(fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }))
}

function put(body: object): RequestInit {
  return { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

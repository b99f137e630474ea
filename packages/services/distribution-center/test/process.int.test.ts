import { centerRegistered, cityRegistered, providerCreated } from '@malha/contracts'
import { defineService, on } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { type Accepted, type Answer, ask, find, recife, register } from './http-client.ts'
import { startScript, startService } from './service-process.ts'
import { traceSink } from './trace-sink.ts'

/** All three partner services in one: partners that answer at once. */
const partnersThatAnswer = defineService('partners', {
  publishes: [providerCreated, cityRegistered],
  handlers: {
    answer: on(centerRegistered, { startFrom: 'all' }, ({ centerId }, ctx) => {
      ctx.publish(providerCreated, { centerId, system: 'senninha', providerId: 's' }, { once: true })
      ctx.publish(providerCreated, { centerId, system: 'maas', providerId: 'm' }, { once: true })
      ctx.publish(cityRegistered, { centerId, registrationId: 'r' }, { once: true })
    }),
  },
})

test('one trace, the one that was answered, runs from the request to center.onboarded; a caller’s is continued', async () => {
  await using sink = await traceSink()
  await using broker = await testMesh()
  await using service = await startService(broker, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
  await using _partners = await broker.mesh.start(partnersThatAnswer)
  const { body } = await register(service.api, recife)
  await eventually(async () => expect((await find(service.api, body.id)).body.status).toBe('onboarded'))
  expect((await find(service.api, body.id)).body.traceId).toBe(body.traceId)

  const ofJourney = await eventually(() => {
    const spans = sink.spans.filter(({ traceId }) => traceId === body.traceId)
    expect(spans.map(({ name }) => name)).toContain('process center.onboarded')
    return spans
  })
  const byName = (name: string) => ofJourney.find((span) => span.name === name)
  expect(byName('POST /centers')?.parentSpanId ?? '').toBe('')
  expect(byName('publish center.registered')?.parentSpanId).toBe(byName('POST /centers')?.spanId)
  expect(byName('process center.registered')?.parentSpanId).toBe(byName('publish center.registered')?.spanId)
  expect(byName('process center.onboarded')?.parentSpanId).toBe(byName('publish center.onboarded')?.spanId)
  const fault = await ask(`${service.api}/centers`, {
    method: 'POST',
    body: '{',
    headers: { 'content-type': 'application/json' },
  })
  expect(fault.body).toMatchObject({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/) })

  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`
  const continued = await ask<Accepted>(`${service.api}/centers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent },
    body: JSON.stringify(recife),
  })
  expect(continued.body.traceId).toBe(traceId)
  await eventually(() => {
    const span = sink.spans.find((one) => one.traceId === traceId && one.name === 'POST /centers')
    expect(span?.parentSpanId).toBe('b7ad6b7169203331')
  })
})

test('SIGTERM: what was asked is answered, the process ends with 0 and prints only JSON lines', async () => {
  await using broker = await testMesh()
  await using service = await startService(broker)
  const ready = await ask<{ ready: boolean }>(`${service.health}/readyz`)
  expect([ready.status, ready.body.ready]).toStrictEqual([200, true])
  expect(await (await fetch(`${service.health}/metrics`)).text()).toContain('http_server_request_duration_seconds')
  const asked = Array.from({ length: 50 }, () => register(service.api, recife))
  await asked[0]
  service.child.kill('SIGTERM')
  const outcomes = await Promise.allSettled(asked)
  expect(await service.exited).toBe(0)
  expect(service.noise).toStrictEqual([])
  await using next = await startService(broker)
  const answered = outcomes.flatMap((outcome) =>
    outcome.status === 'fulfilled' && outcome.value.status === 202 ? [outcome.value.body.id] : [],
  )
  expect(answered.length).toBeGreaterThan(0)
  for (const id of answered) expect([id, (await find(next.api, id)).status]).toStrictEqual([id, 200])
})

test('a broker that cannot be reached is one line that says what to do, and exit 1', async () => {
  const nowhere = { url: 'nats://me:s3cret-word@127.0.0.1:1', namespace: 't' }
  await using service = await startScript('main.ts', nowhere, { HTTP_PORT: '0', HEALTH_PORT: '0' })
  expect(await service.exited).toBe(1)
  expect(service.lines.at(-1)).toMatchObject({ level: 'fatal', err: { message: expect.stringContaining('NATS_URL') } })
  expect([JSON.stringify(service.lines), service.noise]).toStrictEqual([expect.not.stringContaining('s3cret-word'), []])
})

test('wrong variables are one line that names them all, and exit 1', async () => {
  const env = { HTTP_PORT: 'http', HEALTH_PORT: '70000' }
  await using service = await startScript('main.ts', { url: '', namespace: 'NO' }, env)
  expect(await service.exited).toBe(1)
  expect(service.lines).toHaveLength(1)
  expect(JSON.stringify(service.lines)).toMatch(/NATS_URL.*MALHA_NAMESPACE.*HEALTH_PORT.*HTTP_PORT/)
})

test('SIGKILL with requests at work: every centre that was answered is there, and the same keys find it', async () => {
  await using server = await testServer()
  await using broker = await testMesh({ server })
  const service = await startService(broker)
  await using _ended = service
  const answered = new Map<string, string>()
  const keys = new Set<string>()
  // One after another in each lane until the process is gone, so that every lane has one at work when it dies.
  const lane = async (name: number): Promise<void> => {
    for (let index = 0; ; index++) {
      const key = `key-${name}-${index}`
      keys.add(key)
      const answer = await register(service.api, recife, key).catch(() => undefined)
      if (answer === undefined) return
      if (answer.status === 202) answered.set(key, answer.text)
    }
  }
  const asking = Array.from({ length: 8 }, (_, name) => lane(name))
  await eventually(() => expect(answered.size).toBeGreaterThanOrEqual(10), { intervalMs: 1 })
  service.child.kill('SIGKILL')
  await Promise.all(asking)
  await using next = await startService(broker)
  const repeated = new Map<string, Answer<Accepted>>()
  for (const key of keys) repeated.set(key, await registered(next.api, key))
  for (const [key, text] of answered) expect([key, repeated.get(key)?.text]).toStrictEqual([key, text])
  expect(new Set([...repeated.values()].map(({ body }) => body.id)).size).toBe(keys.size)
})

/** As a client does it: a 503 is asked again, under the same key. */
function registered(api: string, key: string): Promise<Answer<Accepted>> {
  return eventually(async () => {
    const answer = await register(api, recife, key)
    expect(answer.status).toBe(202)
    return answer
  })
}

test('the rebuild command counts what it read and ends with 0', async () => {
  await using broker = await testMesh()
  await using service = await startService(broker)
  const { body } = await register(service.api, recife)
  await eventually(async () => expect((await find(service.api, body.id)).body.status).toBe('registered'))
  await using rebuild = await startScript('rebuild.ts', broker)
  expect(await rebuild.exited).toBe(0)
  expect(rebuild.lines.at(-1)).toMatchObject({ level: 'info', events: 1, centers: 1, unreadable: 0 })
})

import { centerRegistered } from '@malha/contracts'
import { getStored, HEADER, subjectOf } from '@malha/mesh'
import { eventually, freeze, testMesh, type TestMesh, testServer } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { ask, find, kindOf, recife, register } from './http-client.ts'
import { runningApi } from './running-api.ts'

async function registrationsStored({ nats, mesh }: TestMesh): Promise<number> {
  const jsm = await jetstreamManager(nats)
  const filter = mesh.names.subject('center.registered.>')
  const { state } = await jsm.streams.info(mesh.names.stream('CENTERS'), { subjects_filter: filter })
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0)
}

test('a registration is in the stream before it is answered, and is read there before any handler ran', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker, { handlers: false })
  const { status, body, headers } = await register(api.url, recife)
  expect([status, headers.get('location')]).toStrictEqual([202, `/centers/${body.id}`])
  expect(await registrationsStored(broker)).toBe(1)
  const found = await find(api.url, body.id)
  expect(found.body).toStrictEqual({
    id: body.id,
    status: 'registered',
    traceId: null,
    ...recife,
    partners: {
      senninha: { state: 'pending', attempts: 0 },
      maas: { state: 'pending', attempts: 0 },
      dmitri: { state: 'pending', attempts: 0 },
    },
    registeredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  })
})

test('the same key and body have the same answer from every instance and after a restart; another body is 422', async () => {
  await using broker = await testMesh()
  const answers: string[] = []
  {
    await using one = await runningApi(broker)
    await using two = await runningApi(broker)
    for (const { url } of [one, one, two]) answers.push((await register(url, recife, 'order-1')).text)
  }
  await using restarted = await runningApi(broker)
  answers.push((await register(restarted.url, recife, 'order-1')).text)
  expect(new Set(answers).size).toBe(1)
  const other = await register(restarted.url, { ...recife, capacity: 1 }, 'order-1')
  expect([other.status, kindOf(other)]).toStrictEqual([422, 'idempotency-conflict'])
  expect(await registrationsStored(broker)).toBe(1)
})

test('fifty requests at once with one key, over two instances, are one event and one answer', async () => {
  await using broker = await testMesh()
  await using one = await runningApi(broker)
  await using two = await runningApi(broker)
  const registered = (url: string) =>
    eventually(async () => {
      const answer = await register(url, recife, 'order-2')
      // Where the machine is busy the broker may not answer in time; whoever is told so asks again.
      expect(answer.status).not.toBe(503)
      return answer
    })
  const requests = Array.from({ length: 50 }, (_, index) => registered([one, two][index % 2]!.url))
  const answers = await Promise.all(requests)
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
  expect(answers[0]?.status).toBe(202)
  expect(await registrationsStored(broker)).toBe(1)
})

test('a key is kept as long as the stream is, not only while the server remembers message ids', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const jsm = await jetstreamManager(broker.nats)
  await jsm.streams.update(broker.mesh.names.stream('CENTERS'), { duplicate_window: nanos(100) })
  const first = await register(api.url, recife, 'order-3')
  const probe = () => jetstream(broker.nats).publish(broker.mesh.names.subject('center.probe'), '', { msgID: 'probe' })
  await probe()
  await eventually(async () => !(await probe()).duplicate)
  expect((await register(api.url, recife, 'order-3')).text).toBe(first.text)
  const other = await register(api.url, { ...recife, capacity: 1 }, 'order-3')
  expect([other.status, kindOf(other)]).toStrictEqual([422, 'idempotency-conflict'])
  expect(await registrationsStored(broker)).toBe(1)
})

test('of two bodies at once with one key one is registered, the other is 422', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const answers = await Promise.all([recife, { ...recife, name: 'Olinda' }].map((body) => register(api.url, body, 'k')))
  expect(new Set(answers.map(({ status }) => status))).toStrictEqual(new Set([202, 422]))
  const won = answers.find(({ status }) => status === 202)!
  const { body } = await find(api.url, won.body.id)
  expect(body.name).toBe(answers[0] === won ? 'Recife' : 'Olinda')
})

test('without a key every request is a centre of its own', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const ids = await Promise.all([1, 2, 3].map(async () => (await register(api.url, recife)).body.id))
  expect(new Set(ids).size).toBe(3)
  expect(await registrationsStored(broker)).toBe(3)
})

test('the event carries the body as it was written, in any script', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const text = { ...recife, name: '🏭 مركز التوزيع', address: 'Ünïcode 1' }
  const { body } = await register(api.url, text)
  const stream = api.mesh.names.stream('CENTERS')
  const subject = api.mesh.names.subject(subjectOf(centerRegistered, body.id))
  const stored = await getStored(broker.nats, stream, { last_by_subj: subject })
  expect(JSON.parse(String(stored?.payload))).toStrictEqual({ centerId: body.id, ...text })
  expect(stored?.headers[HEADER.id]).toBe(`${body.id}.registered`)
})

test('while the broker is away a request is 503 at once, and the same key works when it is back', async () => {
  await using server = await testServer()
  await using broker = await testMesh({ server })
  await using api = await runningApi(broker)
  const { body: before } = await register(api.url, recife, 'before')
  await server.kill()
  await expectUnavailable(api.url, before.id)
  await server.start()
  const after = await eventually(async () => {
    const answer = await register(api.url, recife, 'during')
    expect(answer.status).toBe(202)
    return answer
  })
  await eventually(async () => expect((await find(api.url, after.body.id)).body.name).toBe('Recife'))
  // This connection may be the last to come back.
  await eventually(async () => expect(await registrationsStored(broker)).toBe(2))
})

test('a broker that hears and does not answer is 503 all the same', async () => {
  await using server = await testServer()
  await using broker = await testMesh({ server })
  await using api = await runningApi(broker)
  const { body: before } = await register(api.url, recife)
  {
    using _frozen = await freeze(server)
    await expectUnavailable(api.url, before.id)
  }
  await eventually(async () => expect((await find(api.url, before.id)).status).toBe(200))
})

/** The service gives up after 0.8 s; the bound leaves room for a busy machine, and is far below every client's own 5 s. */
const SOON_MS = 4500

async function expectUnavailable(api: string, centerId: string): Promise<void> {
  const start = performance.now()
  const answers = await Promise.all([
    register(api, recife, 'during'),
    find(api, centerId),
    find(api, 'ctr_unknown'),
    ask(`${api}/centers`),
  ])
  const ms = performance.now() - start
  for (const answer of answers)
    expect([answer.status, kindOf(answer), answer.headers.get('retry-after')]).toStrictEqual([503, 'unavailable', '1'])
  expect(ms).toBeLessThan(SOON_MS)
}

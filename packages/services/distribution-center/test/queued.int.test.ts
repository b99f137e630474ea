import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, freeze, testMesh, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { ask, find, kindOf, recife, register } from './http-client.ts'
import { beginService, startScript, startService, type ServiceProcess } from './service-process.ts'
import { traceSink } from './trace-sink.ts'

function tempFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'malha-queued-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

const spool = (folder: { path: string }, name = 'a'): Record<string, string> => ({
  MALHA_SPOOL_FILE: join(folder.path, `${name}.db`),
})

const OPENING = 'lifecycle: the read model is not open yet'

const olinda = { ...recife, name: 'Olinda' }

async function ready({ health }: ServiceProcess): Promise<number> {
  return (await fetch(`${health}/readyz`)).status
}

async function whyNotReady({ health }: Pick<ServiceProcess, 'health'>): Promise<string[]> {
  const answer = await fetch(`${health}/readyz`)
  return answer.status === 503 ? ((await answer.json()) as { reasons: string[] }).reasons : []
}

test('while the broker is away a registration is 202 and queued at once, also after a SIGKILL, and is stored when it is back', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using broker = await testMesh({ server })
  const ids: string[] = []
  {
    await using service = await startService(broker, spool(folder))
    const { body } = await register(service.api, recife, 'before')
    expect(body).not.toHaveProperty('queued')
    await server.kill()
    const start = performance.now()
    for (let n = 0; n < 20; n++) {
      const answer = await register(service.api, recife, `during-${n}`)
      expect([answer.status, answer.body.queued, answer.body.status]).toStrictEqual([202, true, 'registered'])
      ids.push(answer.body.id)
    }
    // A time-out each would be 8 s.
    expect(performance.now() - start).toBeLessThan(6000)
    expect(await ready(service)).toBe(200)
    const unread = await find(service.api, ids[0]!)
    expect([unread.status, kindOf(unread), unread.headers.get('retry-after')]).toStrictEqual([503, 'unavailable', '1'])
    expect(service.noise).toStrictEqual([])
    service.child.kill('SIGKILL')
  }
  // The broker is still away: the next process starts all the same.
  await using next = await startService(broker, spool(folder))
  const late = await register(next.api, recife, 'late')
  expect([late.status, late.body.queued, await ready(next)]).toStrictEqual([202, true, 200])
  await server.start()
  for (const id of [...ids, late.body.id])
    await eventually(async () => expect((await find(next.api, id)).body.name).toBe('Recife'), { timeoutMs: 30_000 })
  const again = await register(next.api, recife, 'during-3')
  expect([again.status, again.body.id]).toStrictEqual([202, ids[3]])
  expect(again.body).not.toHaveProperty('queued')
  await eventually(async () => {
    const metrics = await (await fetch(`${next.health}/metrics`)).text()
    expect(/^mesh_spool_oldest_seconds .*$/m.exec(metrics)?.[0]).toBe('mesh_spool_oldest_seconds 0')
  })
  expect(next.noise).toStrictEqual([])
  next.child.kill('SIGTERM')
  expect(await next.exited).toBe(0)
})

test('a broker that hears and does not answer is 202 and queued, and everything is stored once when it goes on', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using broker = await testMesh({ server })
  await using service = await startService(broker, spool(folder))
  const ids: string[] = []
  {
    using _frozen = await freeze(server)
    for (let n = 0; n < 10; n++) {
      const { status, body } = await register(service.api, recife, `key-${n}`)
      expect([status, body.queued]).toStrictEqual([202, true])
      ids.push(body.id)
    }
  }
  for (const id of ids)
    await eventually(async () => expect((await find(service.api, id)).body.name).toBe('Recife'), { timeoutMs: 30_000 })
})

test('the spool of another process is refused in one line that names both', async () => {
  using folder = tempFolder()
  await using broker = await testMesh()
  await using first = await startService(broker, spool(folder))
  await using second = await startScript('main.ts', broker, { HTTP_PORT: '0', HEALTH_PORT: '0', ...spool(folder) })
  expect(await second.exited).toBe(1)
  const message = JSON.stringify(second.lines.at(-1))
  expect(message).toContain('MESH_SPOOL_IN_USE')
  expect(message).toContain(`process ${first.child.pid}`)
})

test.concurrent('two instances take one idempotency key for two centres: one is stored, and the status says failed, with a dead letter', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using broker = await testMesh({ server })
  await using one = await startService(broker, spool(folder, 'one'))
  await using two = await startService(broker, spool(folder, 'two'))
  await server.kill()
  const [first, second] = [await register(one.api, recife, 'key'), await register(two.api, olinda, 'key')]
  expect([first.status, second.status, first.body.queued, second.body.queued]).toStrictEqual([202, 202, true, true])
  expect(second.body.id).toBe(first.body.id)
  await server.start()
  const { id } = first.body
  const { body } = await eventually(
    async () => {
      const answer = await find(one.api, id)
      expect(answer.body.status).toBe('failed')
      // The dead letter may be read before the registration that is stored.
      expect([recife.name, olinda.name]).toContain(answer.body.name)
      return answer
    },
    { timeoutMs: 30_000 },
  )
  expect(body.failure).toMatchObject({ code: 'idempotency-conflict', message: expect.stringMatching(/of its own/) })
  expect((await find(two.api, id)).body.failure).toStrictEqual(body.failure)
  const jsm = await jetstreamManager(broker.nats)
  const letters = await jsm.streams.info(broker.mesh.names.stream('DEAD_LETTERS'), { subjects_filter: '>' })
  expect(Object.keys(letters.state.subjects ?? {})).toStrictEqual([expect.stringMatching(/\.dlq\._spool\.CENTERS\./)])
  const failed = await ask<{ centers: { id: string }[] }>(`${one.api}/centers?status=failed`)
  expect(failed.body.centers.map((center) => center.id)).toStrictEqual([id])
})

test.concurrent('a full spool is 503 with Retry-After', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using broker = await testMesh({ server })
  await using service = await startService(broker, { ...spool(folder), MALHA_SPOOL_MAX_BYTES: '65536' })
  await server.kill()
  const answers = await Promise.all(Array.from({ length: 150 }, () => register(service.api, recife)))
  const refused = answers.filter(({ status }) => status === 503)
  expect(refused.length).toBeGreaterThan(0)
  expect(answers.filter(({ body }) => body.queued).length).toBe(150 - refused.length)
  expect(refused.map((answer) => [kindOf(answer), answer.headers.get('retry-after')])).toStrictEqual(
    refused.map(() => ['unavailable', '1']),
  )
  await server.start()
})

test.concurrent('a registration that was queued goes on in the trace of its request', async () => {
  using folder = tempFolder()
  await using sink = await traceSink()
  await using server = await testServer()
  await using broker = await testMesh({ server })
  await using service = await startService(broker, { ...spool(folder), OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
  await server.kill()
  await eventually(async () => expect((await register(service.api, recife)).body.queued).toBe(true))
  const { body } = await register(service.api, recife)
  await server.start()
  await eventually(
    () => {
      const ofRequest = sink.spans.filter(({ traceId }) => traceId === body.traceId)
      const byName = (name: string) => ofRequest.find((span) => span.name === name)
      expect(byName('publish center.registered')?.parentSpanId).toBe(byName('POST /centers')?.spanId)
      expect(byName('process center.registered')?.parentSpanId).toBe(byName('publish center.registered')?.spanId)
    },
    { timeoutMs: 30_000 },
  )
})

// The process tries several times, at a pace of its own, on a machine that may be busy.
test.concurrent(
  'a broker that is there but lacks a leader does not end the process: it takes registrations meanwhile',
  { timeout: 180_000 },
  async () => {
    using folder = tempFolder()
    // Nobody answers whoever opens the read model.
    const config = `accounts { A { jetstream: enabled, users [{ user: a, password: a }], mappings { "$JS.API.STREAM.CREATE.>": "nobody.>" } } }
no_auth_user: a`
    await using server = await testServer({ config })
    await using broker = await testMesh({ server })
    await using starting = await beginService(broker, spool(folder))
    // Nothing can be read of it: who has another instance to go to does so, for a while that begins before it serves.
    await eventually(async () => expect(await whyNotReady(starting)).toEqual([OPENING]))
    const service = await starting.untilServing()
    const begun = 'the broker is there, but not ready for this service; trying again'
    await eventually(() => expect(service.lines.map(({ msg }) => msg)).toContain(begun))
    await eventually(async () => expect(await ready(service)).toBe(200))
    expect((await find(service.api, 'none')).status).toBe(503)
    service.child.kill('SIGTERM')
    expect(await service.exited).toBe(0)
  },
)

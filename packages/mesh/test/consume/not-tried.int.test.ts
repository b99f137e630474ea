import { jetstreamManager } from '@nats-io/jetstream'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { headers } from '@nats-io/transport-node'
import { BrokenCircuitError } from 'cockatiel'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, on, retry, type ServiceDef, stream } from '../../src/index.ts'
import { deadLetters } from '../support/dead-letters.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const refused = (): never => {
  throw Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
}

test('a message the breaker keeps from its handler while the service stops goes to another instance at once', async () => {
  await using own = await testMesh()
  const gate = Promise.withResolvers<boolean>()
  const slow = z.object({ n: z.number() }).refine(({ n }) => (n === 0 ? gate.promise : true))
  const made = event('job.made', { stream: jobs, schema: slow })
  await own.mesh.provision(defineService('feeder', { handlers: {}, publishes: [made] }))
  const done: string[] = []
  const worker = (handle: (n: number) => void): ServiceDef =>
    defineService('worker', {
      handlers: { work: on(made, { concurrency: 20, ackWaitMs: 120_000, startFrom: 'all' }, ({ n }) => handle(n)) },
    })
  let isOpen = false
  const warn = (_fields: object, text: string): void => void (isOpen ||= text === 'the breaker is open')
  const ignore = (): void => undefined
  const first = await own.connect({ logger: { debug: ignore, info: ignore, error: ignore, warn } })
  const running = await first.start(worker(refused))
  // The gate holds the schema of this one, also for whoever publishes it.
  const head = headers()
  const attributes = { specversion: '1.0', id: 'slow', type: 'job.made', source: '/test' }
  for (const [name, value] of Object.entries(attributes)) head.set(`ce-${name}`, value)
  await own.nats.request(own.mesh.names.subject('job.made'), JSON.stringify({ n: 0 }), { headers: head, timeout: 5000 })
  for (let n = 1; n <= 12; n++) await own.mesh.publish(made, { n })
  await eventually(() => expect(isOpen).toBe(true))
  const stopped = running.stop()
  // By then what waited has left, and only this one is still waited for.
  await eventually(async () => expect(await waitingOn(own)).toBeGreaterThan(0), { intervalMs: 5 })
  gate.resolve(true)
  await stopped
  await own.mesh.start(worker((n) => void done.push(String(n))))
  await eventually(() => expect(done).toContain('0'))
})

test('a breaker of the handler’s own that is open is a failure like any other', async () => {
  await using own = await testMesh()
  const made = event('job.made', { stream: jobs, schema: z.object({ n: z.number() }) })
  let calls = 0
  const once = retry({ attempts: 3, minDelayMs: 20, maxDelayMs: 40 })
  const work = on(made, { retry: once }, () => {
    calls++
    throw new BrokenCircuitError()
  })
  await own.mesh.start(defineService('worker', { handlers: { work } }))
  await own.mesh.publish(made, { n: 1 })
  await eventually(async () => expect(await deadLetters(own)).toMatchObject([{ code: 'MESH_RETRIES_EXHAUSTED' }]))
  expect(calls).toBe(3)
})

async function waitingOn({ mesh, nats }: TestMesh): Promise<number> {
  const lanes = await (await jetstreamManager(nats)).streams.info(mesh.names.lanes('worker'))
  return lanes.state.messages
}

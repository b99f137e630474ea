import { jetstreamManager } from '@nats-io/jetstream'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, defineService, type Logger, on, retry, seconds, stream } from '../../src/index.ts'

const schema = z.object({ n: z.number() })
const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const run = command('job.run', { stream: jobs, schema, priorities: true })

test('what ages out unseen is one loss of the handler, not one of each of its durables', async () => {
  const lost: object[] = []
  const ignore = (): void => undefined
  const error = (fields: object): void => void ('to' in fields && lost.push(fields))
  const log: Logger = { debug: ignore, info: ignore, warn: ignore, error }
  await using own = await testMesh({ logger: log })
  const { mesh } = own
  const brief = stream('BRIEF', { subjects: ['brief.>'], maxAgeMs: seconds(4), maxBytes: 2 ** 20 })
  const act = command('brief.act', { stream: brief, schema, priorities: true })
  const done: number[] = []
  const work = on(act, { retry: retry({ attempts: 1, minDelayMs: 10, maxDelayMs: 20 }) }, ({ n }) => void done.push(n))
  const service = defineService('worker', { handlers: { work } })
  const first = await mesh.start(service)
  await mesh.publish(act, { n: 0 })
  await eventually(() => expect(done).toEqual([0]))
  await first.stop()
  for (const n of [1, 2, 3]) await mesh.publish(act, { n })
  const jsm = await jetstreamManager(mesh.nats)
  const left = async (): Promise<number> => (await jsm.streams.info(mesh.names.stream('BRIEF'))).state.messages
  await eventually(async () => expect(await left()).toBe(0))
  await mesh.start(service)
  await mesh.publish(act, { n: 4 })
  await eventually(() => expect(done).toEqual([0, 4]))
  expect(lost).toMatchObject([{ from: 2, to: 4 }])
  const stored = await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))
  expect(stored.state.messages).toBe(1)
})

test('a handler whose command is given priorities later misses none of them, wherever it began itself', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(defineService('feeder', { handlers: {}, publishes: [run] }))
  const plain = command('job.run', { stream: jobs, schema })
  await mesh.publish(plain, { n: 0 })
  const done: number[] = []
  const handle = ({ n }: { n: number }): void => void done.push(n)
  const before = await mesh.start(
    defineService('worker', { handlers: { work: on(plain, { startFrom: 'new' }, handle) } }),
  )
  await mesh.publish(plain, { n: 1 })
  await eventually(() => expect(done).toEqual([1]))
  await before.stop()
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 2 }, { priority })
  const service = defineService('worker', { handlers: { work: on(run, { startFrom: 'new' }, handle) } })
  const after = await mesh.start(service)
  await eventually(() => expect(done).toEqual([1, 2, 2, 2]))
  await after.stop()
  // And again, when its durables are lost.
  const jsm = await jetstreamManager(mesh.nats)
  const durables = ['', '_high', '_low'].map((part) => `${mesh.names.durable('worker', 'work')}${part}`)
  for (const durable of durables) await jsm.consumers.delete(mesh.names.stream('JOBS'), durable)
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 3 }, { priority })
  await mesh.start(service)
  await eventually(() => expect(done).toEqual([1, 2, 2, 2, 3, 3, 3]))
})

test('a new handler begins where it says, for each priority', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(defineService('feeder', { handlers: {}, publishes: [run] }))
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 1 }, { priority })
  const done: number[] = []
  const handle = ({ n }: { n: number }): void => void done.push(n)
  const silent = defineService('worker', { handlers: { work: on(run, handle) } })
  await expect(mesh.start(silent)).rejects.toThrow(/say where to begin with startFrom/)
  await mesh.start(defineService('worker', { handlers: { work: on(run, { startFrom: 'new' }, handle) } }))
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 2 }, { priority })
  await eventually(() => expect(done).toEqual([2, 2, 2]))
})

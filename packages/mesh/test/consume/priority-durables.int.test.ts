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

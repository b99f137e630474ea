import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, on, retry, stream } from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const made = event('job.made', { stream: jobs, schema: z.object({ n: z.number(), isBad: z.boolean() }) })

/** Three attempts each: enough of them fail to open a breaker, and not all are given up by then. */
const PATIENTLY = { timeoutMs: 90_000 }
const BAD = 8
/** With those that take what was asked for before it opened. */
const ALL_BAD = 10

test('messages that fail by what they say keep a breaker open no longer than until another one is tried', async () => {
  await using own = await testMesh()
  const done = new Set<number>()
  const states: string[] = []
  const work = on(made, { concurrency: 1, retry: retry({ attempts: 3, minDelayMs: 50, maxDelayMs: 100 }) }, (job) => {
    if (job.isBad) throw new Error('it fails by what it says')
    done.add(job.n)
  })
  const hear = ({ state }: { state?: string }): void => void (state !== undefined && states.push(state))
  const ignore = (): void => undefined
  const mesh = await own.connect({ logger: { debug: ignore, info: ignore, error: ignore, warn: hear } })
  await mesh.start(defineService('worker', { handlers: { work } }))
  for (let n = 0; n < BAD; n++) await own.mesh.publish(made, { n, isBad: true })
  await eventually(() => expect(states).toEqual(['open']))
  for (let n = BAD; n < ALL_BAD; n++) await own.mesh.publish(made, { n, isBad: true })
  for (let n = 0; n < 10; n++) await own.mesh.publish(made, { n, isBad: false })
  await eventually(() => expect(done.size).toBe(10), PATIENTLY)
  // And they end as any do that fail too often.
  await eventually(async () => {
    const { state } = await (await jetstreamManager(own.nats)).streams.info(own.mesh.names.stream('DEAD_LETTERS'))
    expect(state.messages).toBe(ALL_BAD)
  })
})

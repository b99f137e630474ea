import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  command,
  defineService,
  event,
  type MeshError,
  on,
  type Priority,
  retry,
  stream,
  topic,
} from '../../src/index.ts'
import { countOn } from '../support/dead-letters.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const Job = z.object({ n: z.number(), customer: z.string().default('c') })
const run = command('job.run', { stream: jobs, schema: Job, priorities: true })
const ship = command('job.ship', { stream: jobs, schema: Job, key: ({ customer }) => customer, priorities: true })
const feeder = defineService('feeder', { handlers: {}, publishes: [run, ship] })

test('urgent commands overtake those that wait, and the least urgent still have their share', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(feeder)
  const publish = async (priority: Priority, count: number): Promise<void> => {
    await Promise.all(Array.from({ length: count }, (_, n) => mesh.publish(run, { n }, { priority })))
  }
  await publish('low', 300)
  await publish('normal', 300)
  await publish('high', 300)
  const started: Priority[] = []
  const work = on(run, { startFrom: 'all', concurrency: 4 }, async (_, ctx) => {
    started.push(ctx.source.subject.endsWith('_high') ? 'high' : ctx.source.subject.endsWith('_low') ? 'low' : 'normal')
    // Slower than they are delivered, so that all three wait.
    await sleep(3)
  })
  await mesh.start(defineService('worker', { handlers: { work } }))
  await eventually(() => expect(started).toHaveLength(900))
  // Out of those that were started while all three waited; the first few come as they are delivered.
  const shared = started.slice(20, 420)
  const share = (priority: Priority): number => shared.filter((one) => one === priority).length / shared.length
  expect(share('high')).toBeGreaterThan(0.4)
  expect(share('low')).toBeGreaterThan(0.05)
  expect(share('high')).toBeGreaterThan(share('normal'))
  expect(share('normal')).toBeGreaterThan(share('low'))
})

test('a keyed command has its priority in its subject, retries keep it, and a topic sees all of them', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const attempts: string[] = []
  const seen: string[] = []
  const worker = defineService('worker', {
    handlers: {
      ship: on(ship, { retry: retry({ attempts: 3, minDelayMs: 10, maxDelayMs: 20 }) }, (_, ctx) => {
        attempts.push(`${mesh.names.strip(ctx.source.subject)} ${ctx.attempt}`)
        if (ctx.attempt === 1) throw new Error('again')
      }),
    },
  })
  const watcher = defineService('watcher', {
    handlers: { all: on(topic(jobs, 'job.*'), (_, ctx) => void seen.push(mesh.names.strip(ctx.source.subject))) },
  })
  await mesh.start(worker)
  await mesh.start(watcher)
  for (const priority of ['low', 'normal', 'high'] as const)
    await mesh.publish(ship, { n: 1, customer: 'c-1' }, { priority })
  const subjects = ['job.ship._low.4.c-1', 'job.ship.4.c-1', 'job.ship._high.4.c-1']
  await eventually(() => expect(attempts.toSorted()).toEqual(subjects.flatMap((s) => [`${s} 1`, `${s} 2`]).toSorted()))
  await eventually(() => expect(seen.toSorted()).toEqual(subjects.toSorted()))
})

test('a handler publishes commands by priority too', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const done: number[] = []
  const asked = event('job.asked', { stream: jobs, schema: Job })
  const service = defineService('worker', {
    handlers: {
      ask: on(asked, (job, ctx) => ctx.publish(run, job, { priority: 'high' })),
      work: on(run, (job) => void done.push(job.n)),
    },
  })
  await mesh.start(service)
  await mesh.publish(asked, { n: 5 })
  await eventually(() => expect(done).toEqual([5]))
  expect(await countOn(own, 'JOBS', 'job.run._high')).toBe(1)
})

test('a priority that a contract does not have, and once beside priorities, are refused', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(feeder)
  const plain = command('job.plain', { stream: jobs, schema: Job })
  const refused = async (published: Promise<unknown>): Promise<string> =>
    await published.then(
      () => 'stored',
      (error: unknown) => (error as MeshError).message,
    )
  expect(await refused(mesh.publish(plain, { n: 1 }, { priority: 'high' }))).toContain('priorities: true')
  expect(await refused(mesh.publish(run, { n: 1 }, { priority: 'urgent' as Priority }))).toContain('high, normal, low')
  expect(await refused(mesh.publish(ship, { n: 1 }, { once: true }))).toContain('cannot be published once')
  expect(() => event('job.happened', { stream: jobs, schema: Job, priorities: true })).toThrow(/only commands/)
  const narrow = stream('NARROW', { subjects: ['narrow.*'] })
  expect(() => command('narrow.run', { stream: narrow, schema: Job, priorities: true })).toThrow(
    /end its subject in .>/,
  )
})

import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, on, onBatch, stream } from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const queued = event('job.queued', { stream: jobs, schema: z.object({ n: z.number() }) })

test('concurrency changes while a handler runs: at once when raised, as attempts end when lowered', async () => {
  await using own = await testMesh()
  const { mesh } = own
  let atOnce = 0
  let peak = 0
  let done = 0
  const service = defineService('worker', {
    handlers: {
      work: on(queued, { startFrom: 'all', concurrency: 2 }, async () => {
        peak = Math.max(peak, ++atOnce)
        await sleep(20)
        atOnce--
        done++
      }),
    },
  })
  const running = await mesh.start(service)
  await Promise.all(Array.from({ length: 300 }, (_, n) => mesh.publish(queued, { n })))
  await eventually(() => expect(done).toBeGreaterThan(10))
  expect(peak).toBe(2)
  running.adjust('work', { concurrency: 20 })
  await eventually(() => expect(peak).toBe(20))
  running.adjust('work', { concurrency: 1 })
  await eventually(() => expect(atOnce).toBeLessThanOrEqual(1))
  peak = 0
  const before = done
  await eventually(() => expect(done).toBeGreaterThan(before + 5))
  expect(peak).toBe(1)
})

test('a rate limit holds starts back, may be changed and taken away while the handler runs', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const starts: number[] = []
  const service = defineService('worker', {
    handlers: {
      work: on(queued, { startFrom: 'all', rateLimit: { perSecond: 20, burst: 1 } }, () => {
        starts.push(performance.now())
      }),
    },
  })
  const running = await mesh.start(service)
  await Promise.all(Array.from({ length: 400 }, (_, n) => mesh.publish(queued, { n })))
  await eventually(() => expect(starts.length).toBeGreaterThanOrEqual(11))
  // Ten gaps of 50 ms. The first call may have come late, which makes what is measured shorter.
  expect(starts[10]! - starts[0]!).toBeGreaterThan(300)
  running.adjust('work', { rateLimit: { perSecond: 4, burst: 1 } })
  const from = starts.length
  await eventually(() => expect(starts.length).toBeGreaterThanOrEqual(from + 3))
  expect(starts[from + 2]! - starts[from]!).toBeGreaterThan(300)
  running.adjust('work', { rateLimit: null })
  await eventually(() => expect(starts).toHaveLength(400))
})

test('slow messages run side by side up to the concurrency, however low the rate', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const open = Promise.withResolvers<void>()
  let atOnce = 0
  const service = defineService('worker', {
    handlers: {
      work: on(queued, { startFrom: 'all', concurrency: 12, rateLimit: { perSecond: 4 } }, async () => {
        atOnce++
        await open.promise
      }),
    },
  })
  await mesh.start(service)
  await Promise.all(Array.from({ length: 20 }, (_, n) => mesh.publish(queued, { n })))
  await eventually(() => expect(atOnce).toBe(12))
  open.resolve()
  await eventually(() => expect(atOnce).toBe(20))
})

test('a rate limit lets a batch be full', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const sizes: number[] = []
  const bulk = onBatch(
    queued,
    { startFrom: 'all', size: 20, maxAgeMs: 30_000, rateLimit: { perSecond: 9, burst: 1 } },
    (batch) => void sizes.push(batch.length),
  )
  await mesh.start(defineService('worker', { handlers: { bulk } }))
  await Promise.all(Array.from({ length: 20 }, (_, n) => mesh.publish(queued, { n })))
  await eventually(() => expect(sizes).toEqual([20]))
})

test('limits out of bounds, and a handler that is not there, are refused and change nothing', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const service = defineService('worker', { handlers: { work: on(queued, { startFrom: 'all' }, () => undefined) } })
  const running = await mesh.start(service)
  expect(() => running.adjust('work', { concurrency: 0, rateLimit: { perSecond: -1 } })).toThrow(/2 faults/)
  expect(() => running.adjust('wrok', { concurrency: 4 })).toThrow(/no such handler; it has work/)
})

test('fewer at once than a batch takes is refused', async () => {
  await using own = await testMesh()
  const bulk = onBatch(queued, { startFrom: 'all', size: 10 }, () => undefined)
  const running = await own.mesh.start(defineService('worker', { handlers: { bulk } }))
  expect(() => running.adjust('bulk', { concurrency: 5 })).toThrow(/at least size/)
  running.adjust('bulk', { concurrency: 10 })
})

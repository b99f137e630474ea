import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, faultProxy, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, type HandlerDef, onBatch, retry, stream } from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2, partitions: 4 })
const Job = z.object({ key: z.string(), n: z.number() })
const queued = event('job.queued', { stream: jobs, schema: Job, key: ({ key }) => key })

test('batches keep the order of a key, over retries too, and still have several messages', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const sizes: number[] = []
  const done = new Map<string, number[]>()
  const bulk = onBatch(
    queued,
    { startFrom: 'all', size: 20, maxAgeMs: 20, retry: retry({ attempts: 5, minDelayMs: 10, maxDelayMs: 50 }) },
    async (batch) => {
      sizes.push(batch.length)
      await sleep(2)
      for (const message of batch) {
        // Each third fails at first, of different keys at a time: the breaker has nothing to open for.
        if ((message.data.n + Number(message.data.key.slice(1))) % 3 === 0 && message.attempt === 1)
          message.fail(new Error('not yet'))
        else done.set(message.data.key, [...(done.get(message.data.key) ?? []), message.data.n])
      }
    },
  )
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  const keys = Array.from({ length: 40 }, (_, k) => `k${k}`)
  for (let n = 0; n < 10; n++) await Promise.all(keys.map((key) => mesh.publish(queued, { key, n })))
  await eventually(() => expect([...done.values()].flat()).toHaveLength(400))
  for (const key of keys) expect(done.get(key)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(Math.max(...sizes)).toBeGreaterThan(5)
})

test('a message that waits in a batch while its instance is cut off is not handled there past the lease', async () => {
  await using own = await testMesh()
  await using proxy = await faultProxy({ target: own.url })
  const batches: string[] = []
  const bulk = (by: string, maxAgeMs: number): HandlerDef =>
    onBatch(queued, { startFrom: 'all', size: 20, maxAgeMs, ackWaitMs: 2000 }, () => void batches.push(by))
  const joined = Promise.withResolvers<void>()
  const onStage = (said: unknown): void => {
    if ((said as { stage: string; service: string }).stage === 'started') joined.resolve()
  }
  subscribe('malha:delivery', onStage)
  const cutOff = await own.connect({ servers: proxy.url })
  const stale = await cutOff.start(defineService('bulk', { handlers: { bulk: bulk('a', 1900) } }))
  await own.mesh.publish(queued, { key: 'k', n: 0 })
  await joined.promise
  unsubscribe('malha:delivery', onStage)
  proxy.stall()
  await own.mesh.start(defineService('bulk', { handlers: { bulk: bulk('b', 1000) } }))
  // Its own batch is old enough before that, and after its lease.
  await eventually(() => expect(batches.length).toBeGreaterThan(0), { timeoutMs: 20_000 })
  expect(batches).toEqual(['b'])
  proxy.resume()
  await stale.stop()
  expect(batches).toEqual(['b'])
})

import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, onBatch, Reject, retry, RetryAfter, stream } from '../../src/index.ts'
import { countOn, deadLetters } from '../support/dead-letters.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const queued = event('job.queued', { stream: jobs, schema: z.object({ n: z.number() }) })
const finished = event('job.finished', { stream: jobs, schema: z.object({ n: z.number() }) })
const briefly = retry({ attempts: 3, minDelayMs: 20, maxDelayMs: 40 })

/** A mesh whose stream is there before anybody handles it. */
async function meshWithJobs(): Promise<TestMesh> {
  const own = await testMesh()
  await own.mesh.provision(defineService('feeder', { handlers: {}, publishes: [queued] }))
  return own
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('messages come in batches of the size asked for, in order; a batch that does not fill goes when its first is old enough', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const batches: number[][] = []
  for (const n of numbers(25)) await mesh.publish(queued, { n })
  const bulk = onBatch(queued, { startFrom: 'all', size: 10, maxAgeMs: 1500 }, (batch) => {
    batches.push(batch.map(({ data }) => data.n))
  })
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  await eventually(() => expect(batches.flat()).toHaveLength(25))
  expect(batches.map(({ length }) => length)).toEqual([10, 10, 5])
  expect(batches.flat()).toEqual(numbers(25))
})

test('only the message that failed is tried again, alone in its count; the others are done', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const attempts = new Map<number, number[]>()
  await Promise.all(numbers(20).map((n) => mesh.publish(queued, { n })))
  const bulk = onBatch(queued, { startFrom: 'all', size: 20, maxAgeMs: 50, retry: briefly }, (batch) => {
    for (const message of batch) {
      attempts.set(message.data.n, [...(attempts.get(message.data.n) ?? []), message.attempt])
      if (message.data.n === 7 && message.attempt < 3) message.fail(new Error('not yet'))
      if (message.data.n === 8) message.fail(new Reject('never'))
      message.publish(finished, message.data)
    }
  })
  await mesh.start(defineService('bulk', { handlers: { bulk }, publishes: [finished] }))
  await eventually(() => expect(attempts.get(7)).toEqual([1, 2, 3]))
  await eventually(async () => expect(await deadLetters(own)).toHaveLength(1))
  attempts.delete(7)
  expect([...attempts.values()]).toEqual(Array.from({ length: 19 }, () => [1]))
  expect(await deadLetters(own)).toMatchObject([{ code: 'MESH_REJECTED', data: { n: 8 } }])
  // An output of a failed message is not published.
  expect(await countOn(own, 'JOBS', 'job.finished')).toBe(19)
})

test('a call that throws is made again message by message: the poisonous one fails alone', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const done = new Set<number>()
  await Promise.all(numbers(20).map((n) => mesh.publish(queued, { n })))
  const bulk = onBatch(queued, { startFrom: 'all', size: 20, maxAgeMs: 50, retry: briefly }, (batch) => {
    if (batch.some(({ data }) => data.n === 3)) throw new Error('poison')
    for (const { data } of batch) done.add(data.n)
  })
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  await eventually(async () => expect(await deadLetters(own)).toHaveLength(1))
  expect(await deadLetters(own)).toMatchObject([{ code: 'MESH_RETRIES_EXHAUSTED', data: { n: 3 } }])
  expect(done.size).toBe(19)
})

test('a batch in which every message fails becomes as many dead letters, each with its own reason', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  await Promise.all(numbers(30).map((n) => mesh.publish(queued, { n })))
  const bulk = onBatch(queued, { startFrom: 'all', size: 30, maxAgeMs: 50 }, (batch) => {
    for (const message of batch) message.fail(new Reject(`no room for ${message.data.n}`))
  })
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  await eventually(async () => expect(await deadLetters(own)).toHaveLength(30))
  const reasons = (await deadLetters(own)).map(({ reason }) => reason)
  expect(new Set(reasons).size).toBe(30)
})

test('RetryAfter from a batch holds all of it back, and counts against none', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const calls: { size: number; at: number }[] = []
  await Promise.all(numbers(5).map((n) => mesh.publish(queued, { n })))
  const bulk = onBatch(queued, { startFrom: 'all', size: 5, maxAgeMs: 50, retry: retry({ attempts: 1 }) }, (batch) => {
    calls.push({ size: batch.length, at: performance.now() })
    if (calls.length === 1) throw new RetryAfter(1500)
  })
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  await eventually(() => expect(calls.map(({ size }) => size).reduce((a, b) => a + b, 0)).toBe(10))
  expect(calls[1]!.at - calls[0]!.at).toBeGreaterThan(1000)
  expect(await deadLetters(own)).toEqual([])
})

test('a service that stops finishes the batch that runs and hands back what waits', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const done: number[] = []
  const bulk = onBatch(queued, { startFrom: 'all', size: 10, maxAgeMs: 100 }, async (batch) => {
    await sleep(100)
    done.push(...batch.map(({ data }) => data.n))
  })
  await Promise.all(numbers(100).map((n) => mesh.publish(queued, { n })))
  const service = defineService('bulk', { handlers: { bulk } })
  const running = await mesh.start(service)
  await eventually(() => expect(done.length).toBeGreaterThan(0))
  await running.stop()
  expect(done.length).toBeLessThan(100)
  await mesh.start(service)
  await eventually(() => expect(done).toHaveLength(100))
  expect(new Set(done).size).toBe(100)
})

test('what was published in a call that threw is forgotten: the calls message by message publish once', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  await Promise.all(numbers(5).map((n) => mesh.publish(queued, { n })))
  const bulk = onBatch(queued, { startFrom: 'all', size: 5, maxAgeMs: 50, retry: briefly }, (batch) => {
    for (const message of batch) message.publish(finished, message.data)
    if (batch.some(({ data }) => data.n === 3)) throw new Error('poison')
  })
  await mesh.start(defineService('bulk', { handlers: { bulk }, publishes: [finished] }))
  await eventually(async () => expect(await deadLetters(own)).toHaveLength(1))
  expect(await countOn(own, 'JOBS', 'job.finished')).toBe(4)
})

test('a message that is tried again beside others has its place among them by its stream', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const batches: number[][] = []
  for (const n of numbers(5)) await mesh.publish(queued, { n })
  const bulk = onBatch(queued, { startFrom: 'all', size: 3, maxAgeMs: 3000, retry: briefly }, (batch) => {
    batches.push(batch.map(({ data }) => data.n))
    if (batches.length === 1) batch[0]!.fail(new Error('again'))
  })
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  await eventually(() => expect(batches).toHaveLength(2))
  expect(batches).toEqual([
    [0, 1, 2],
    [0, 3, 4],
  ])
})

test('handlers that run one declaration do not share a batch', async () => {
  await using own = await meshWithJobs()
  const { mesh } = own
  const batches: string[][] = []
  const bulk = onBatch(queued, { startFrom: 'all', size: 4, maxAgeMs: 300 }, (batch) => {
    batches.push(batch.map(({ id }) => id))
  })
  await mesh.start(defineService('one', { handlers: { bulk, again: bulk } }))
  await mesh.start(defineService('other', { handlers: { bulk } }))
  for (const id of ['a', 'b']) await mesh.publish(queued, { n: 1 }, { id })
  await eventually(() => expect(batches.flat()).toHaveLength(6))
  expect(batches.map((ids) => new Set(ids).size)).toEqual(batches.map((ids) => ids.length))
})

test('a batch whose partner refuses connections is not called message by message', async () => {
  await using own = await meshWithJobs()
  const { sizes, done } = await partnerThatComesBack(own, () =>
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }),
  )
  expect(done.size).toBe(40)
  // The batch, and the breaker's probe.
  expect(sizes.filter((size) => size === 1).length).toBeLessThan(3)
})

test('a batch that is called message by message stops where the breaker opens, and what is left was not tried', async () => {
  await using own = await meshWithJobs()
  const { sizes, done } = await partnerThatComesBack(own, () => new Error('HTTP 500'))
  expect(done.size).toBe(40)
  // Twenty calls tell the breaker enough.
  expect(sizes.filter((size) => size === 1).length).toBeLessThan(25)
  expect([...done.values()].filter((attempt) => attempt === 1).length).toBeGreaterThan(10)
})

/** Forty messages in one batch; the partner fails until the breaker is open. Sizes of the calls, and attempts by message. */
async function partnerThatComesBack(
  own: TestMesh,
  failure: () => Error,
): Promise<{ sizes: number[]; done: Map<number, number> }> {
  const sizes: number[] = []
  const done = new Map<number, number>()
  let isBack = false
  const ignore = (): void => undefined
  const warn = (_fields: object, text: string): void => void (isBack ||= text === 'the breaker is open')
  const mesh = await own.connect({ logger: { debug: ignore, info: ignore, error: ignore, warn } })
  await Promise.all(numbers(40).map((n) => own.mesh.publish(queued, { n })))
  const bulk = onBatch(queued, { startFrom: 'all', size: 40, maxAgeMs: 300 }, (batch) => {
    sizes.push(batch.length)
    if (!isBack) throw failure()
    for (const { data, attempt } of batch) done.set(data.n, attempt)
  })
  await mesh.start(defineService('bulk', { handlers: { bulk } }))
  await eventually(() => expect(done.size).toBe(40))
  return { sizes, done }
}

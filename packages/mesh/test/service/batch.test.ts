import { specification, testClock } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Busy, command, defineService, event, type HandlerDef, onBatch, stream } from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const schema = z.object({ n: z.number() })
const queued = event('job.queued', { stream: jobs, schema })
const serve = (bulk: HandlerDef): unknown => defineService('bulk', { handlers: { bulk } })

test('a message whose time is over while it waits for others leaves the batch, and its function is not called', async () => {
  const clock = testClock()
  let calls = 0
  const bulk = onBatch(queued, { size: 10, maxAgeMs: 50_000 }, () => void calls++)
  const outcome = specification(bulk).given({ clock }).when({ n: 1 })
  await clock.advance(60_000)
  await outcome.then({ error: 'MESH_HANDLER_TIMEOUT' })
  expect(calls).toBe(0)
})

test('a batch of one message is a specification like any other', async () => {
  const bulk = onBatch(queued, { size: 10, maxAgeMs: 1 }, (batch) => {
    for (const message of batch) message.fail(new Busy(1000, 'come again'))
  })
  await specification(bulk).when({ n: 1 }).then({ error: Busy })
})

test('a batch that waits as long as its messages may take is refused, and so is one that can never be full', () => {
  const never = (): void => undefined
  expect(() => serve(onBatch(queued, { size: 10, maxAgeMs: 60_000 }, never))).toThrow(/less than timeoutMs/)
  expect(() => serve(onBatch(queued, { size: 10, maxAgeMs: 5000, timeoutMs: 1000 }, never))).toThrow(
    /less than timeoutMs/,
  )
  expect(() => serve(onBatch(queued, { size: 10, concurrency: 5 }, never))).toThrow(/at least size/)
  expect(() => serve(onBatch(queued, { size: 501, maxAgeMs: -1 }, never))).toThrow(/2 faults/)
})

test('a keyed command with priorities needs no word on its order', () => {
  const run = command('job.run', { stream: jobs, schema, key: ({ n }) => String(n), priorities: true })
  expect(onBatch(run, { size: 10 }, () => undefined).order).toBeUndefined()
  expect(() => serve(onBatch(run, { size: 10 }, () => undefined))).not.toThrow()
})

import { defineService, event, type OperationRecord, on, retry, stream } from '@malha/mesh'
import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { LETTER_HEADER } from '../../src/failure/dead-letter.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const Job = z.object({ id: z.string() })
const due = event('job.due', { stream: jobs, schema: Job, key: ({ id }) => id })
const done = event('job.done', { stream: jobs, schema: Job, key: ({ id }) => id })

async function stored(t: TestMesh, stream: string, subject: string): Promise<{ code: string; text: string }[]> {
  const jsm = await jetstreamManager(t.nats)
  const name = `${t.namespace}_${stream}`
  const info = await jsm.streams.info(name, { subjects_filter: `${t.namespace}.${subject}` }).catch(() => undefined)
  const subjects = Object.keys(info?.state.subjects ?? {})
  return Promise.all(
    subjects.map(async (last_by_subj) => {
      const message = await jsm.streams.getMessage(name, { last_by_subj })
      return { code: message?.header.get(LETTER_HEADER.code) ?? '', text: message?.string() ?? '' }
    }),
  )
}

test.concurrent('a call that never returns ends as one letter in the only process there is, and as succeeded late when it returns', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const hanging = Promise.withResolvers<void>()
  let calls = 0
  const service = defineService('worker', {
    handlers: {
      work: on(
        due,
        { startFrom: 'all', concurrency: 8, timeoutMs: 50, ackWaitMs: 300, retry: retry({ attempts: 2 }) },
        async ({ id }, ctx) => {
          calls++
          ctx.publish(done, { id })
          await hanging.promise
        },
      ),
    },
  })
  await mesh.start(service)
  await mesh.publish(due, { id: 'hangs' })
  const letters = await eventually(
    async () => {
      const found = await stored(env, 'DEAD_LETTERS', 'dlq.>')
      expect(found).toHaveLength(1)
      return found
    },
    { timeoutMs: 30_000 },
  )
  expect(letters[0]!.code).toBe('MESH_CRASHED')
  expect(await stored(env, 'JOBS', 'job.done.>')).toEqual([])
  hanging.resolve()
  const [record] = await eventually(
    async () => {
      const found = await stored(env, 'OPERATIONS', 'ops.letter.>')
      expect(found).toHaveLength(1)
      return found
    },
    { timeoutMs: 15_000 },
  )
  expect(JSON.parse(record!.text) as OperationRecord).toMatchObject({ v: 1, kind: 'late' })
  // What it published is not lost.
  expect(await stored(env, 'JOBS', 'job.done.>')).toHaveLength(1)
  expect(calls).toBe(1)
})

test.concurrent('with order by key, a call that was given up lets its key go on when it ends well, and its outputs are stored', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const hanging = Promise.withResolvers<void>()
  const calls: number[] = []
  const Step = z.object({ id: z.string(), n: z.number() })
  const step = event('job.step', { stream: jobs, schema: Step, key: ({ id }) => id })
  const service = defineService('worker', {
    handlers: {
      work: on(step, { startFrom: 'all', concurrency: 8, timeoutMs: 50, order: 'key' }, async ({ id, n }, ctx) => {
        calls.push(n)
        ctx.publish(done, { id })
        if (n === 1) await hanging.promise
      }),
    },
  })
  await mesh.start(service)
  for (const n of [1, 2]) await mesh.publish(step, { id: 'a', n })
  await eventually(() => expect(mesh.health().reasons.join()).toContain('1 slots leaked'), { timeoutMs: 20_000 })
  expect(calls).toEqual([1])
  hanging.resolve()
  await eventually(() => expect(calls).toEqual([1, 2]))
  await eventually(async () => {
    const info = await (await jetstreamManager(env.nats)).streams.info(mesh.names.stream('JOBS'))
    // Two steps, and what each published.
    expect(info.state.messages).toBe(4)
  })
  expect(await stored(env, 'DEAD_LETTERS', 'dlq.>')).toEqual([])
})

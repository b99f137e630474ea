import { defineService, event, on, reply, request, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const look = request('job.look', { schema: z.object({}), reply: z.string() })
const due = event('job.due', {
  stream: jobs,
  schema: z.object({ id: z.string(), hangs: z.boolean() }),
  key: ({ id }) => id,
})

test.concurrent('a handler that never returns loses its slot, makes the service unready, and others go on until half are lost', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const started: string[] = []
  const aborted: string[] = []
  const service = defineService('worker', {
    handlers: {
      work: on(
        due,
        { startFrom: 'all', concurrency: 4, timeoutMs: 100, retry: retry({ attempts: 2 }) },
        async ({ id, hangs }, ctx) => {
          started.push(id)
          ctx.signal.addEventListener('abort', () => aborted.push(id))
          if (hangs) await new Promise(() => undefined)
        },
      ),
    },
  })
  const running = await mesh.start(service)
  const codeOf = (error: unknown): unknown => (error as { code?: string }).code
  const ended = running.stopped.then(() => 'stopped', codeOf)
  // A reply's function is no other than a handler's.
  const hangs = reply(look, { concurrency: 2, timeoutMs: 100 }, () => new Promise<never>(() => undefined))
  const answering = await mesh.start(defineService('looking', { handlers: {}, replies: { hangs } }))
  const answeringEnded = answering.stopped.then(() => 'stopped', codeOf)
  await expect(mesh.request(look, {})).rejects.toThrow('took too long')
  await mesh.publish(due, { id: 'hangs-1', hangs: true })
  await eventually(() => expect(aborted).toEqual(['hangs-1']))
  await eventually(() => expect(mesh.health().reasons.join()).toContain('1 slots leaked'), { timeoutMs: 20_000 })
  await mesh.publish(due, { id: 'fine', hangs: false })
  await eventually(() => expect(started).toContain('fine'))

  await mesh.publish(due, { id: 'hangs-2', hangs: true })
  expect(await ended).toBe('MESH_HANDLER_LEAKED')
  expect(await answeringEnded).toBe('MESH_HANDLER_LEAKED')
  // Neither was tried a second time here.
  expect(started.toSorted()).toEqual(['fine', 'hangs-1', 'hangs-2'])
})

test.concurrent.each([undefined, 'key'] as const)(
  'a concurrency that leaves no more than twice the lost slots ends the service, with order %s',
  async (order) => {
    await using own = await testMesh()
    const { mesh } = own
    const options = { startFrom: 'all', concurrency: 4, timeoutMs: 100, ...(order && { order }) } as const
    const hang = on(due, options, async () => await new Promise(() => undefined))
    const running = await mesh.start(defineService('worker', { handlers: { hang } }))
    const ended = running.stopped.catch((error: unknown) => (error as { code?: string }).code)
    await mesh.publish(due, { id: 'hangs', hangs: true })
    await eventually(() => expect(mesh.health().reasons.join()).toContain('1 slots leaked'), { timeoutMs: 20_000 })
    running.adjust('hang', { concurrency: 3 })
    expect(mesh.health().reasons.join()).toContain('1 slots leaked')
    running.adjust('hang', { concurrency: 2 })
    expect(await ended).toBe('MESH_HANDLER_LEAKED')
  },
)

import { defineService, event, on, stream } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const done = event('job.done', { stream: jobs, schema: z.object({ n: z.number() }) })

test('a service that is started while the broker is away starts as soon as it is back', async () => {
  await using server = await testServer()
  await using t = await testMesh({ server })
  const seen: number[] = []
  await server.kill()
  await eventually(() => expect(t.mesh.health().reasons).not.toEqual([]))
  const starting = t.mesh.start(
    defineService('worker', { handlers: { work: on(done, ({ n }) => void seen.push(n)) }, publishes: [done] }),
  )
  await server.start()
  await starting
  await t.mesh.publish(done, { n: 1 })
  await eventually(() => expect(seen).toEqual([1]))
})

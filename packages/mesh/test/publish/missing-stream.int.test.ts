import { defineService, event, stream } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const schema = z.object({ id: z.string() })
const here = event('here.made', { stream: stream('HERE', { subjects: ['here.>'] }), schema })
const gone = event('gone.made', { stream: stream('GONE', { subjects: ['gone.>'] }), schema })

test('publishes to a stream that is not there hold up no others, and say so in the end', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.provision(defineService('maker', { handlers: {}, publishes: [here] }))
  // More than are on the wire at once.
  const lost = Array.from({ length: 1100 }, (_, index) =>
    mesh.publish(gone, { id: `g${index}` }, { timeoutMs: 8_000 }).catch((error: unknown) => error),
  )
  await new Promise(setImmediate)
  const { seq } = await mesh.publish(here, { id: 'h' }, { timeoutMs: 7_000 })
  expect(seq).toBe(1)
  for (const error of await Promise.all(lost)) expect(error).toMatchObject({ code: 'MESH_NO_STREAM' })
})

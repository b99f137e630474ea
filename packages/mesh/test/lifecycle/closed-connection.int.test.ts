import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { connectMesh, defineService, event, on, retry, stream } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })

test('a mesh whose connection is closed under it closes, and calls no handler any more', async () => {
  await using own = await testMesh()
  const said: string[] = []
  const ignore = (): void => undefined
  const logger = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (_: object, message: string) => void said.push(message),
  }
  await using mesh = await connectMesh({ servers: own.url, namespace: own.mesh.names.namespace, logger })
  let calls = 0
  const bill = on(placed, { startFrom: 'all', retry: retry({ minDelayMs: 300, maxDelayMs: 300 }) }, () => {
    calls += 1
    throw new Error('the other side is away')
  })
  const running = await mesh.start(defineService('shop', { handlers: { bill } }))
  await own.mesh.publish(placed, { n: 1 })
  await eventually(() => calls > 0)
  await mesh.nats.close()
  await running.stopped
  const until = calls
  await sleep(1000)
  expect(calls).toBe(until)
  expect(mesh.health().ready).toBe(false)
  await expect(mesh.publish(placed, { n: 2 })).rejects.toThrow('MESH_CLOSED')
  expect(said.filter((line) => line.includes('was closed, so the mesh closes'))).toHaveLength(1)
})

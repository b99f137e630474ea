import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineService, event, on, stream } from '../../src/index.ts'

const scans = stream('SCANS', { subjects: ['scan.>'], maxBytes: 512 * 1024 ** 2 })
const taken = event('scan.taken', { stream: scans, schema: z.object({ n: z.number(), image: z.string() }) })

const COUNT = 1000
const IMAGE = 'i'.repeat(128 * 1024)
/** Ended before the server delivers again what it cut off: 30 s. */
const SOON = { timeoutMs: 20_000 }

/** A server ends a connection that is 64 MiB behind. */
test('many large messages come one after the other, over a connection that stays', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(defineService('scanner', { handlers: {}, publishes: [taken] }))
  for (let n = 0; n < COUNT; n += 50)
    await Promise.all(Array.from({ length: 50 }, (_, i) => mesh.publish(taken, { n: n + i, image: IMAGE })))
  const ends: string[] = []
  void (async () => {
    for await (const { type } of mesh.nats.status()) ends.push(type)
  })()
  const handled: number[] = []
  const keep = on(taken, { startFrom: 'all', concurrency: 1000 }, ({ n }) => void handled.push(n))
  await mesh.start(defineService('keeper', { handlers: { keep } }))
  await eventually(() => expect(handled.length).toBe(COUNT), SOON)
  expect(new Set(handled).size).toBe(COUNT)
  expect(ends.filter((type) => type === 'disconnect' || type === 'error')).toEqual([])
})

test('one as large as the server takes comes too', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const image = 'i'.repeat(mesh.nats.info!.max_payload - 20_000)
  const handled: number[] = []
  const keep = on(taken, { startFrom: 'all' }, (data) => void handled.push(data.image.length))
  await mesh.start(defineService('keeper', { handlers: { keep } }))
  await mesh.publish(taken, { n: 1, image })
  await eventually(() => expect(handled).toEqual([image.length]))
})

import { defineService, on } from '@malha/mesh'
import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { timedOut } from './fixture.ts'

test('a delayed event comes when it is due, as any other event of its stream', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const seen: { id: string; at: number; key: string | undefined; due: string | undefined; subject: string }[] = []
  const service = defineService('orders', {
    handlers: {
      late: on(timedOut, { startFrom: 'all' }, (_, { id, key, headers, source }) => {
        seen.push({ id, key, at: Date.now(), due: headers['malha-due'], subject: source.subject })
      }),
    },
  })
  await mesh.start(service)
  const before = Date.now()
  const {
    id,
    stream: where,
    waitsUntil,
    duplicate,
  } = await mesh.publish(timedOut, { orderId: 'o-1' }, { deliverIn: 1500 })
  expect({ where, duplicate }).toEqual({ where: mesh.names.delays(), duplicate: false })
  // By the server's clock, which is known to within half of what its answer took.
  expect(waitsUntil!.getTime()).toBeGreaterThanOrEqual(before + 1400)
  await eventually(() => expect(seen).toHaveLength(1))
  expect(seen[0]).toMatchObject({ id, key: 'o-1', due: waitsUntil!.toISOString() })
  expect(seen[0]!.at).toBeGreaterThanOrEqual(waitsUntil!.getTime() - 5)
  expect(mesh.names.strip(seen[0]!.subject)).toMatch(/^order\.timed-out\.\d+\.o-1$/)
})

/** What came, in order. */
async function recorder(env: TestMesh): Promise<{ seen: string[] }> {
  const seen: string[] = []
  const service = defineService('orders', {
    handlers: {
      late: on(timedOut, { startFrom: 'all', concurrency: 1 }, ({ orderId }) => void seen.push(orderId)),
    },
  })
  await env.mesh.start(service)
  return { seen }
}

test('delayed events come in the order of their times, whatever the order they were published in', async () => {
  await using env = await testMesh()
  const { seen } = await recorder(env)
  const at = Date.now() + 1500
  const publish = (orderId: string, ms: number): Promise<unknown> =>
    env.mesh.publish(timedOut, { orderId }, { deliverAt: new Date(at + ms) })
  await Promise.all([publish('third', 2000), publish('first', 0), publish('second', 1000)])
  await env.mesh.publish(timedOut, { orderId: 'now' })
  await eventually(() => expect(seen).toEqual(['now', 'first', 'second', 'third']))
})

test('a time that is past comes at once', async () => {
  await using env = await testMesh()
  const { seen } = await recorder(env)
  await env.mesh.publish(timedOut, { orderId: 'past' }, { deliverAt: new Date('2001-01-01T00:00:00Z') })
  await env.mesh.publish(timedOut, { orderId: 'negative' }, { deliverIn: -5000 })
  await eventually(() => expect(seen.toSorted()).toEqual(['negative', 'past']))
})

test('a second event under a key takes the place of the first', async () => {
  await using env = await testMesh()
  const { seen } = await recorder(env)
  const { mesh } = env
  await mesh.publish(timedOut, { orderId: 'first' }, { deliverIn: 1000, delayKey: 'o 1/é' })
  await mesh.publish(timedOut, { orderId: 'second' }, { deliverIn: 2000, delayKey: 'o 1/é' })
  await mesh.publish(timedOut, { orderId: 'end' }, { deliverIn: 3000 })
  await eventually(() => expect(seen).toEqual(['second', 'end']))
})

test('what is cancelled does not come; a second cancel finds nothing', async () => {
  await using env = await testMesh()
  const { seen } = await recorder(env)
  const { mesh } = env
  await mesh.publish(timedOut, { orderId: 'cancelled' }, { deliverIn: 1500, delayKey: 'o-1' })
  expect(await mesh.cancelDelayed(timedOut, 'o-1')).toBe(true)
  expect(await mesh.cancelDelayed(timedOut, 'o-1')).toBe(false)
  expect(await mesh.cancelDelayed(timedOut, 'never-there')).toBe(false)
  await mesh.publish(timedOut, { orderId: 'again' }, { deliverIn: 2000, delayKey: 'o-1' })
  await eventually(() => expect(seen).toEqual(['again']))
  expect(await mesh.cancelDelayed(timedOut, 'o-1')).toBe(false)
})

test('the same id a second time adds nothing and says so; another payload under it is refused', async () => {
  await using env = await testMesh()
  const { seen } = await recorder(env)
  const { mesh } = env
  const first = await mesh.publish(timedOut, { orderId: 'one' }, { deliverIn: 1500, id: 'same' })
  const second = await mesh.publish(timedOut, { orderId: 'one' }, { deliverIn: 9000, id: 'same' })
  expect(second).toEqual({ ...first, duplicate: true })
  await expect(mesh.publish(timedOut, { orderId: 'two' }, { deliverIn: 1500, id: 'same' })).rejects.toMatchObject({
    code: 'MESH_ID_CONFLICT',
  })
  await mesh.publish(timedOut, { orderId: 'end' }, { deliverIn: 2500 })
  await eventually(() => expect(seen).toEqual(['one', 'end']))
})

import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, type Mesh } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { orders, reportDue, storedIn, timedOut } from './fixture.ts'

const COUNT = 150
const keys = Array.from({ length: COUNT }, (_, index) => `o-${index}`)
const FILLERS = 5000
/** Before and at the moment of firing, ms; a third of them well before. */
const offsets = (index: number): number => (index % 3 === 0 ? -800 : 2 - (index % 50))

/**
 * Many become due at the same time before them: the server has read them all when it begins to store the first. When that
 * is: late enough for this machine to have them wait by then.
 */
async function fillUp(mesh: Mesh): Promise<Date> {
  const publish = async (count: number, deliverAt: Date): Promise<void> => {
    const one = (of: string): Promise<unknown> => mesh.publish(reportDue, { of }, { deliverAt })
    await Promise.all(Array.from({ length: count }, (_, index) => one(`f-${index}`)))
  }
  const startedAt = Date.now()
  await publish(FILLERS / 10, new Date(startedAt + 3_600_000))
  const tookMs = Date.now() - startedAt
  const deliverAt = new Date(Date.now() + Math.max(2500, 15 * tookMs + 1500))
  await publish(FILLERS, deliverAt)
  return deliverAt
}

test(
  'a cancel in the moment of firing says true exactly when the event does not come',
  { timeout: 150_000 },
  async () => {
    await using env = await testMesh()
    const { mesh } = env
    await mesh.start(defineService('orders', { handlers: {}, publishes: [timedOut] }))
    const deliverAt = await fillUp(mesh)
    const ids = await Promise.all(
      keys.map(async (orderId) => (await mesh.publish(timedOut, { orderId }, { deliverAt, delayKey: orderId })).id),
    )
    const said = await Promise.all(
      keys.map(async (key, index) => {
        await sleep(deliverAt.getTime() - Date.now() + offsets(index))
        return await mesh.cancelDelayed(timedOut, key)
      }),
    )
    const name = mesh.names.stream(orders)
    const arrived = async (): Promise<Set<string>> => new Set((await storedIn(env.nats, name)).map(({ id }) => id))
    const expected = [...ids.filter((_, index) => !said[index]), 'end']
    // Whatever was on its way comes before it, or with it.
    await mesh.publish(timedOut, { orderId: 'end' }, { deliverIn: 1500, id: 'end' })
    const came = await eventually(
      async () => {
        const there = await arrived()
        expect(expected.filter((id) => !there.has(id))).toEqual([])
        return there
      },
      { timeoutMs: 60_000, intervalMs: 250 },
    )
    const wrong = ids.filter((id, index) => came.has(id) === said[index])
    expect(wrong).toEqual([])
    expect(said.filter(Boolean).length).toBeGreaterThan(0)
    expect(said.filter((one) => !one).length).toBeGreaterThan(0)
  },
)

test('what takes the place of another in the moment of firing comes in any case', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.start(defineService('orders', { handlers: {}, publishes: [timedOut] }))
  const deliverAt = await fillUp(mesh)
  await Promise.all(keys.map((orderId) => mesh.publish(timedOut, { orderId }, { deliverAt, delayKey: orderId })))
  const replaced = await Promise.all(
    keys.map(async (orderId, index) => {
      await sleep(deliverAt.getTime() - Date.now() + offsets(index))
      return await mesh.publish(timedOut, { orderId }, { deliverIn: index % 2 === 0 ? 3000 : 200, delayKey: orderId })
    }),
  )
  const name = mesh.names.stream(orders)
  await eventually(async () => {
    const came = new Set((await storedIn(env.nats, name)).map(({ id }) => id))
    expect(replaced.filter(({ id }) => !came.has(id))).toEqual([])
  })
})

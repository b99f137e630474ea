import { defineService } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { afterEach, expect, test, vi } from 'vitest'
import { orders, storedIn, timedOut } from './fixture.ts'

afterEach(() => vi.restoreAllMocks())

test.each([-3_600_000, 3_600_000])(
  'deliverIn goes by the server’s clock, also where this process’s is an hour off (%i ms)',
  async (shiftMs) => {
    const realNow = Date.now
    const warned: object[] = []
    await using env = await testMesh({
      logger: { debug() {}, info() {}, warn: (fields) => void warned.push(fields), error() {} },
    })
    const { mesh } = env
    await mesh.start(defineService('orders', { handlers: {}, publishes: [timedOut] }))
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + shiftMs)
    const before = realNow()
    const { waitsUntil } = await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 2000, delayKey: 'k' })
    expect(waitsUntil!.getTime()).toBeGreaterThanOrEqual(before + 1900)
    expect(waitsUntil!.getTime()).toBeLessThan(before + 30_000)
    // Whether it is too late to cancel goes by the same clock.
    expect(await mesh.cancelDelayed(timedOut, 'k')).toBe(true)
    const again = await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 1000, delayKey: 'k' })
    const name = mesh.names.stream(orders)
    await eventually(async () => expect(await storedIn(env.nats, name)).toMatchObject([{ id: again.id }]))
    const [event] = await storedIn(env.nats, name)
    expect(event!.storedMs).toBeGreaterThanOrEqual(event!.dueMs)
    expect(warned).toContainEqual({ apartMs: expect.closeTo(shiftMs, -4) as number })
  },
)

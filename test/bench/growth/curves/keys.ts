import { defineService, event, on, stream } from '@malha/mesh'
import { believed, type Order, orderOf } from '../../orders.ts'
import { windowed } from '../../windowed.ts'
import type { Curve } from '../curve.ts'
import { handledUs, usEach } from '../timed.ts'

const keyed = stream('KEYED', { subjects: ['keyed.>'], partitions: 8, maxBytes: 4 * 1024 ** 3 })
const placed = event<Order>('keyed.placed', { stream: keyed, schema: believed, key: ({ orderId }) => orderId })

/** Fewer tell of the start only. */
const LEAST = 50_000

export const curve: Curve = {
  title: 'Keys, each a subject of its own',
  x: 'keys',
  places: [1000, 10_000, 100_000, 1_000_000],
  async measure({ mesh, x }) {
    const count = Math.max(LEAST, x)
    const order = orderOf(128)
    await mesh.provision(defineService('keys', { handlers: {}, publishes: [placed] }))
    const publish = await usEach(count, () => windowed(count, 1024, (n) => mesh.publish(placed, order(n % x))))
    const handle = await handledUs(mesh, 'keys', {
      calls: count,
      handlers: (onCall) => ({
        handler: on(placed, { order: 'key', startFrom: 'all', concurrency: 256 }, onCall),
      }),
    })
    return { 'publish, µs': publish, 'handle in order, µs': handle }
  },
}

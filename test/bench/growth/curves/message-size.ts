import { on } from '@malha/mesh'
import { orderOf, orderPlaced, provisionOrders } from '../../orders.ts'
import { windowed } from '../../windowed.ts'
import type { Curve } from '../curve.ts'
import { handledUs, usEach } from '../timed.ts'

const KIB = 1024
const MOST_BYTES = 128 * KIB ** 2
/** In flight at most. */
const WINDOW_BYTES = 4 * KIB ** 2

export const curve: Curve = {
  title: 'Size of a message',
  x: 'bytes of JSON',
  places: [128, 512, 2 * KIB, 8 * KIB, 32 * KIB, 128 * KIB, 512 * KIB],
  async measure({ mesh, x }) {
    const count = Math.round(Math.min(20_000, Math.max(200, MOST_BYTES / x)))
    const window = Math.round(Math.min(1000, Math.max(4, WINDOW_BYTES / x)))
    const order = orderOf(x)
    await provisionOrders(mesh)
    const publish = await usEach(count, () => windowed(count, window, (n) => mesh.publish(orderPlaced, order(n))))
    const handle = await handledUs(mesh, 'sizes', {
      calls: count,
      handlers: (onCall) => ({ handler: on(orderPlaced, { startFrom: 'all', concurrency: window }, onCall) }),
    })
    return { 'publish, µs': publish, 'handle, µs': handle }
  },
}

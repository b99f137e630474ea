import { defineService, event, type HandlerDef, on } from '@malha/mesh'
import { believed, type Order, orderOf, orders } from '../../orders.ts'
import { windowed } from '../../windowed.ts'
import type { Curve } from '../curve.ts'
import { handledUs } from '../timed.ts'

const MESSAGES = 20_000

export const curve: Curve = {
  title: 'Handlers of one service',
  x: 'handlers',
  places: [1, 4, 16, 64, 256],
  async measure({ mesh, x }) {
    const types = Array.from({ length: x }, (_, n) =>
      event<Order>(`order.kind${n}`, { stream: orders, schema: believed }),
    )
    const handlers = (onCall: () => void): Record<string, HandlerDef> =>
      Object.fromEntries(
        types.map((type, n) => [`handler${n}`, on(type, { startFrom: 'all', concurrency: 16 }, onCall)]),
      )
    await mesh.provision(defineService('kinds', { handlers: {}, publishes: types }))
    const startedAt = performance.now()
    const running = await mesh.start(defineService('starting', { handlers: handlers(() => undefined) }))
    const start = (performance.now() - startedAt) / x
    await running.stop()
    const order = orderOf(128)
    await windowed(MESSAGES, 1024, (n) => mesh.publish(types[n % x]!, order(n)))
    const handle = await handledUs(mesh, 'kinds', { calls: MESSAGES, handlers })
    return { 'start each, ms': start, 'handle, µs': handle }
  },
}

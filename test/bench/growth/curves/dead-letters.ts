import { on, Reject } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { NAMESPACE, orderPlaced, provisionOrders, storeOrders } from '../../orders.ts'
import type { Curve } from '../curve.ts'
import { handledUs } from '../timed.ts'

export const curve: Curve = {
  title: 'Dead letters',
  x: 'letters',
  places: [1000, 10_000, 100_000],
  async measure({ mesh, x }) {
    await provisionOrders(mesh)
    await storeOrders(mesh, { count: x, bytes: 128 })
    const rejected = await handledUs(mesh, 'letters', {
      calls: x,
      handlers: (onCall) => ({
        handler: on(orderPlaced, { startFrom: 'all', concurrency: 1000 }, () => {
          onCall()
          throw new Reject('it is of no use')
        }),
      }),
    })
    const jsm = await jetstreamManager(mesh.nats)
    const startedAt = performance.now()
    const { state } = await jsm.streams.info(`${NAMESPACE}_DEAD_LETTERS`)
    if (state.messages !== x) throw new Error(`${x} messages were rejected, and there are ${state.messages} letters`)
    return {
      'rejected and its letter stored, µs': rejected,
      'state of their stream, ms': performance.now() - startedAt,
    }
  },
}

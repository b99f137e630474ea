import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, on, Reject } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { NAMESPACE, orderPlaced, provisionOrders, storeOrders } from '../../orders.ts'
import type { Curve } from '../curve.ts'

const LOOK_MS = 5

export const curve: Curve = {
  title: 'Dead letters',
  x: 'letters',
  places: [1000, 10_000, 100_000],
  async measure({ mesh, x }) {
    await provisionOrders(mesh)
    await storeOrders(mesh, { count: x, bytes: 128 })
    const jsm = await jetstreamManager(mesh.nats)
    const letters = async (): Promise<number> => (await jsm.streams.info(`${NAMESPACE}_DEAD_LETTERS`)).state.messages
    let beganAt = Infinity
    const reject = on(orderPlaced, { startFrom: 'all', concurrency: 1000 }, () => {
      beganAt = Math.min(beganAt, performance.now())
      throw new Reject('it is of no use')
    })
    const running = await mesh.start(defineService('letters', { handlers: { reject } }))
    while ((await letters()) < x) await sleep(LOOK_MS)
    const rejected = ((performance.now() - beganAt) * 1000) / x
    await running.stop()
    const startedAt = performance.now()
    const stored = await letters()
    if (stored !== x) throw new Error(`${x} messages were rejected, and there are ${stored} letters`)
    return {
      'rejected and its letter stored, µs': rejected,
      'state of their stream, ms': performance.now() - startedAt,
    }
  },
}

import { defineService, on, type RunningService } from '@malha/mesh'
import { connectBench, orderOf, orderPlaced } from '../../orders.ts'
import { serveVariant } from '../../variant.ts'
import { flowOf } from './flow.ts'
import { HANDLER } from './durable.ts'
import { answer, type Given } from './watch.ts'

await serveVariant(async ({ servers, replicas, variant, payloadBytes, messages }) => {
  const mesh = await connectBench(servers, replicas)
  const order = orderOf(payloadBytes)
  const flow = flowOf({ perSecond: messages, publish: (n) => mesh.publish(orderPlaced, order(n)) })
  const handler = on(orderPlaced, { startFrom: 'all' }, ({ orderId }) => flow.handled(orderId))
  const service = defineService(variant, { handlers: { [HANDLER]: handler } })
  let running: RunningService
  return {
    async prepare() {
      running = await mesh.start(service)
      flow.start()
      await flow.untilSteady()
    },
    run: (_, __, given) => answer(given as Given, { nc: mesh.nats, flow }),
    async clean() {
      await flow.drain()
      await running.stop()
    },
    close: () => mesh.close(),
  }
})

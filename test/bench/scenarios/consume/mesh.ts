import { setImmediate } from 'node:timers/promises'
import { defineService, on } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { connectBench, orderPlaced } from '../../orders.ts'
import { carryTraceContext } from '../../trace-context.ts'
import { ORDERS_STREAM } from '../../twins/connect.ts'
import { checkAllAcked } from '../../twins/durable.ts'
import { serveVariant } from '../../variant.ts'

/** Twice as many are asked for: the 2000 of the twins. */
const CONCURRENCY = 1000

await serveVariant(async ({ servers, replicas, messages }) => {
  carryTraceContext()
  const mesh = await connectBench(servers, replicas)
  const jsm = await jetstreamManager(mesh.nats)
  return {
    async run(round, begin) {
      const done = Promise.withResolvers<void>()
      let handled = 0
      // A service of its own each round, which begins at the first message.
      const counter = on(orderPlaced, { startFrom: 'all', concurrency: CONCURRENCY }, () => {
        if (++handled === 1) begin()
        if (handled === messages) done.resolve()
      })
      const service = defineService(`worker-${round}`, { handlers: { counter } })
      await using _running = await mesh.start(service)
      await done.promise
      await setImmediate()
      await mesh.nats.flush()
      return { messages }
    },
    async clean(round) {
      const durable = mesh.names.durable(`worker-${round}`, 'counter')
      await checkAllAcked(jsm, durable, messages)
      await jsm.consumers.delete(ORDERS_STREAM, durable)
      await jsm.streams.delete(mesh.names.lanes(`worker-${round}`))
    },
    close: () => mesh.close(),
  }
})

import { setImmediate } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import type { Order } from '../../orders.ts'
import { connectPlain, ORDERS_STREAM } from '../../twins/connect.ts'
import { checkAllAcked, makeDurable } from '../../twins/durable.ts'
import { leanPull } from '../../twins/lean-pull.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(async ({ servers, messages }) => {
  const nc = await connectPlain(servers)
  const jsm = await jetstreamManager(nc)
  return {
    prepare: (round) => makeDurable(jsm, `lean-${round}`),
    async run(round, begin) {
      const done = Promise.withResolvers<void>()
      let handled = 0
      const handle = (_order: Order): void => void handled++
      const loop = leanPull(nc, {
        stream: ORDERS_STREAM,
        durable: `lean-${round}`,
        credits: 2000,
        onMessage(msg) {
          if (handled === 0) begin()
          handle(JSON.parse(msg.string()) as Order)
          loop.ack(msg)
          if (handled === messages) done.resolve()
        },
      })
      await done.promise
      await setImmediate()
      await nc.flush()
      loop.stop()
      return { messages }
    },
    async clean(round) {
      await checkAllAcked(jsm, `lean-${round}`, messages)
      await jsm.consumers.delete(ORDERS_STREAM, `lean-${round}`)
    },
    close: () => nc.close(),
  }
})

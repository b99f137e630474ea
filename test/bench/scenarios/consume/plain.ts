import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connectPlain, ORDERS_STREAM } from '../../twins/connect.ts'
import { checkAllAcked, makeDurable } from '../../twins/durable.ts'
import { serveVariant } from '../../variant.ts'
import type { Order } from '../../orders.ts'

await serveVariant(async ({ servers, messages }) => {
  const nc = await connectPlain(servers)
  const js = jetstream(nc)
  const jsm = await jetstreamManager(nc)
  return {
    prepare: (round) => makeDurable(jsm, `plain-${round}`),
    async run(round, begin) {
      let handled = 0
      const handle = (_order: Order): void => void handled++
      const consumer = await js.consumers.get(ORDERS_STREAM, `plain-${round}`)
      for await (const msg of await consumer.consume({ max_messages: 2000 })) {
        if (handled === 0) begin()
        handle(JSON.parse(msg.string()) as Order)
        msg.ack()
        if (handled === messages) break
      }
      await nc.flush()
      return { messages }
    },
    async clean(round) {
      await checkAllAcked(jsm, `plain-${round}`, messages)
      await jsm.consumers.delete(ORDERS_STREAM, `plain-${round}`)
    },
    close: () => nc.close(),
  }
})

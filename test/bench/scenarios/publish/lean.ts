import { createHistogram } from 'node:perf_hooks'
import { jetstreamManager } from '@nats-io/jetstream'
import { orderOf } from '../../orders.ts'
import { connectPlain, ORDER_SUBJECT, ORDERS_STREAM } from '../../twins/connect.ts'
import { leanPublisher } from '../../twins/lean-publisher.ts'
import { serveVariant } from '../../variant.ts'
import { windowed } from '../../windowed.ts'

await serveVariant(async ({ servers, messages, payloadBytes }) => {
  const nc = await connectPlain(servers)
  const jsm = await jetstreamManager(nc)
  const publisher = leanPublisher(nc)
  const order = orderOf(payloadBytes)
  return {
    prepare: async () => void (await jsm.streams.purge(ORDERS_STREAM)),
    async run() {
      const latency = createHistogram()
      const publish = (n: number): Promise<void> =>
        publisher.publish(ORDER_SUBJECT, JSON.stringify(order(n)), 'order.placed')
      await windowed(messages, 1024, publish, latency)
      return { messages, latency }
    },
    async close() {
      publisher.close()
      await nc.close()
    },
  }
})

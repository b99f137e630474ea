import { createHistogram } from 'node:perf_hooks'
import { jetstreamManager } from '@nats-io/jetstream'
import { context } from '@opentelemetry/api'
import { connectBench, orderOf, orderPlaced } from '../../orders.ts'
import { carryTraceContext } from '../../trace-context.ts'
import { ORDERS_STREAM } from '../../twins/connect.ts'
import { serveVariant } from '../../variant.ts'
import { windowed } from '../../windowed.ts'

await serveVariant(async ({ servers, replicas, messages, payloadBytes }) => {
  const inTrace = carryTraceContext()
  const mesh = await connectBench(servers, replicas)
  const jsm = await jetstreamManager(mesh.nats)
  const order = orderOf(payloadBytes)
  return {
    prepare: async () => void (await jsm.streams.purge(ORDERS_STREAM)),
    async run() {
      const latency = createHistogram()
      await context.with(inTrace, () => windowed(messages, 1024, (n) => mesh.publish(orderPlaced, order(n)), latency))
      return { messages, latency }
    },
    close: () => mesh.close(),
  }
})

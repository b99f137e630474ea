import { type HandlerOptions, defineService, on, type RunningService } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { billIssued, checkBills, purgeBills } from '../bills.ts'
import { connectBench, orderPlaced } from '../orders.ts'
import type { Setup } from '../protocol.ts'
import { carryTraceContext } from '../trace-context.ts'
import { checkAllAcked, durablesAhead, untilAllAcked } from '../twins/durable.ts'
import type { Variant } from '../variant.ts'

/** As many as a publisher in bulk has in flight. */
const CONCURRENCY = 1000

/** A handler of the mesh that publishes one event for each order. With `effects: 'once'` a marker is stored with each. */
export function billOrders(options: Pick<HandlerOptions, 'effects'> = {}): (setup: Setup) => Promise<Variant> {
  return async ({ servers, replicas, variant, messages }) => {
    carryTraceContext()
    const mesh = await connectBench(servers, replicas)
    const jsm = await jetstreamManager(mesh.nats)
    const nameOf = (round: number): string => `${variant.toLowerCase()}-${round}`
    const ahead = durablesAhead(mesh, { service: nameOf, handler: 'bill' })
    let running: RunningService
    return {
      async prepare(round) {
        await purgeBills(jsm)
        await ahead.make(round)
      },
      async run(round, begin) {
        const returned = Promise.withResolvers<void>()
        let handled = 0
        const bill = on(orderPlaced, { startFrom: 'all', concurrency: CONCURRENCY, ...options }, (order, ctx) => {
          if (++handled === 1) begin()
          ctx.publish(billIssued, order)
          if (handled === messages) returned.resolve()
        })
        const service = defineService(nameOf(round), { handlers: { bill }, publishes: [billIssued] })
        running = await mesh.start(service)
        await returned.promise
        await untilAllAcked(jsm, ahead.durableOf(round), messages)
        return { messages }
      },
      async clean(round) {
        await running.stop()
        await checkAllAcked(jsm, ahead.durableOf(round), messages)
        await checkBills(jsm, options.effects === 'once' ? 2 * messages : messages)
        await ahead.delete(round)
        await jsm.streams.delete(mesh.names.lanes(nameOf(round)))
      },
      close: () => mesh.close(),
    }
  }
}

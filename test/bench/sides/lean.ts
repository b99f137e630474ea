import { setImmediate } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import type { Order } from '../orders.ts'
import { connectPlain, ORDER_SUBJECT, ORDERS_STREAM } from '../twins/connect.ts'
import { checkAllAcked, makeDurable } from '../twins/durable.ts'
import { leanPublisher } from '../twins/lean-publisher.ts'
import { type LeanPull, leanPull } from '../twins/lean-pull.ts'
import type { Side } from './side.ts'

/** The least that could be done: the ids, headers and bytes of the mesh, answers in one write. */
export const leanSide: Side = {
  async publisher({ servers }) {
    const nc = await connectPlain(servers)
    const jsm = await jetstreamManager(nc)
    const publisher = leanPublisher(nc)
    return {
      publish: (order) => publisher.publish(ORDER_SUBJECT, JSON.stringify(order), 'order.placed'),
      inContext: (work) => work(),
      purge: async () => void (await jsm.streams.purge(ORDERS_STREAM)),
      async close() {
        publisher.close()
        await nc.close()
      },
    }
  },
  async consumer({ servers }) {
    const nc = await connectPlain(servers)
    const jsm = await jetstreamManager(nc)
    let loop: LeanPull | undefined
    return {
      prepare: (round) => makeDurable(nc, `lean-${round}`),
      async start(round, onOrder) {
        const pull = leanPull(nc, {
          stream: ORDERS_STREAM,
          durable: `lean-${round}`,
          credits: 2000,
          onMessage(msg) {
            onOrder(JSON.parse(msg.string()) as Order)
            pull.ack(msg)
          },
        })
        loop = pull
        await nc.flush()
      },
      async flush() {
        await setImmediate()
        await nc.flush()
      },
      async finish(round, messages) {
        loop?.stop()
        await checkAllAcked(jsm, `lean-${round}`, messages)
        await jsm.consumers.delete(ORDERS_STREAM, `lean-${round}`)
      },
      close: () => nc.close(),
    }
  },
}

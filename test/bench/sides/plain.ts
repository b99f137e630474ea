import { randomUUID } from 'node:crypto'
import { type ConsumerMessages, jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { Order } from '../orders.ts'
import { connectPlain, ORDER_SUBJECT, ORDERS_STREAM } from '../twins/connect.ts'
import { checkAllAcked, makeDurable } from '../twins/durable.ts'
import type { Side } from './side.ts'

/** The plain client as an expert uses it. Its orders carry an id and nothing else. */
export const plainSide: Side = {
  async publisher({ servers }) {
    const nc = await connectPlain(servers)
    const js = jetstream(nc)
    const jsm = await jetstreamManager(nc)
    return {
      publish: (order) => js.publish(ORDER_SUBJECT, JSON.stringify(order), { msgID: randomUUID() }),
      inContext: (work) => work(),
      purge: async () => void (await jsm.streams.purge(ORDERS_STREAM)),
      close: () => nc.close(),
    }
  },
  async consumer({ servers }) {
    const nc = await connectPlain(servers)
    const js = jetstream(nc)
    const jsm = await jetstreamManager(nc)
    let messages: ConsumerMessages | undefined
    let loop: Promise<void> | undefined
    const handleAll = async (onOrder: (order: Order) => void): Promise<void> => {
      for await (const msg of messages!) {
        onOrder(JSON.parse(msg.string()) as Order)
        msg.ack()
      }
    }
    return {
      prepare: (round) => makeDurable(nc, `plain-${round}`),
      async start(round, onOrder) {
        const consumer = await js.consumers.get(ORDERS_STREAM, `plain-${round}`)
        messages = await consumer.consume({ max_messages: 2000 })
        loop = handleAll(onOrder)
      },
      flush: () => nc.flush(),
      async finish(round, count) {
        await messages?.close()
        await loop
        await nc.flush()
        await checkAllAcked(jsm, `plain-${round}`, count)
        await jsm.consumers.delete(ORDERS_STREAM, `plain-${round}`)
      },
      close: () => nc.close(),
    }
  },
}

import { type ConsumerMessages, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { BILL_SUBJECT, checkBills, purgeBills } from '../../bills.ts'
import type { Order } from '../../orders.ts'
import { connectPlain, ORDERS_STREAM } from '../../twins/connect.ts'
import { checkAllAcked, makeDurable, untilAllAcked } from '../../twins/durable.ts'
import { serveVariant } from '../../variant.ts'

const IN_FLIGHT = 1000

/** The plain client as an expert uses it: acks once the bill is stored, whose id tells one that is stored again. */
await serveVariant(async ({ servers, messages }) => {
  const nc = await connectPlain(servers)
  const js = jetstream(nc)
  const jsm = await jetstreamManager(nc)
  const nameOf = (round: number): string => `plain-${round}`
  let all: ConsumerMessages
  let ended: Promise<void>
  return {
    async prepare(round) {
      await purgeBills(jsm)
      await makeDurable(nc, nameOf(round))
    },
    async run(round, begin) {
      let inFlight = 0
      let wake = (): void => undefined
      const bill = async (msg: JsMsg): Promise<void> => {
        const order = JSON.parse(msg.string()) as Order
        await js.publish(BILL_SUBJECT, JSON.stringify(order), { msgID: `bill-${round}-${msg.seq}` })
        msg.ack()
        inFlight--
        wake()
      }
      const billAll = async (): Promise<void> => {
        let isFirst = true
        for await (const msg of all) {
          if (isFirst) begin()
          isFirst = false
          if (inFlight >= IN_FLIGHT) await new Promise<void>((resolve) => (wake = resolve))
          inFlight++
          void bill(msg)
        }
      }
      const consumer = await js.consumers.get(ORDERS_STREAM, nameOf(round))
      all = await consumer.consume({ max_messages: 2 * IN_FLIGHT })
      ended = billAll()
      await untilAllAcked(jsm, nameOf(round), messages)
      return { messages }
    },
    async clean(round) {
      await all.close()
      await ended
      await checkAllAcked(jsm, nameOf(round), messages)
      await checkBills(jsm, messages)
      await jsm.consumers.delete(ORDERS_STREAM, nameOf(round))
    },
    close: () => nc.close(),
  }
})

import { setTimeout as sleep } from 'node:timers/promises'
import { type ConsumerMessages, jetstream } from '@nats-io/jetstream'
import { orderOf } from '../../orders.ts'
import { connectPlain, ORDER_SUBJECT, ORDERS_STREAM } from '../../twins/connect.ts'
import { makeDurable } from '../../twins/durable.ts'
import type { Order } from '../../orders.ts'
import { serveVariant } from '../../variant.ts'
import { flowOf } from './flow.ts'
import { durableOf } from './durable.ts'
import { answer, type Given } from './watch.ts'

const AGAIN_MS = 100
const ATTEMPTS = 150

/** The plain client with its defaults: `consume()`, and what is refused or not answered is published again under its id. */
await serveVariant(async ({ servers, variant, payloadBytes, messages: perSecond }) => {
  const nc = await connectPlain(servers)
  const js = jetstream(nc)
  const order = orderOf(payloadBytes)
  const durable = durableOf(variant)
  await makeDurable(nc, durable)
  const publish = async (n: number): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        await js.publish(ORDER_SUBJECT, JSON.stringify(order(n)), { msgID: `order-${n}` })
        return
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
        await sleep(AGAIN_MS)
      }
    }
  }
  const flow = flowOf({ perSecond, publish })
  let messages: ConsumerMessages | undefined
  let ended: Promise<void> | undefined
  const handleAll = async (all: ConsumerMessages): Promise<void> => {
    for await (const msg of all) {
      flow.handled((JSON.parse(msg.string()) as Order).orderId)
      msg.ack()
    }
  }
  const open = async (): Promise<void> => {
    const consumer = await js.consumers.get(ORDERS_STREAM, durable)
    messages = await consumer.consume()
    ended = handleAll(messages)
  }
  const close = async (): Promise<void> => {
    await messages?.close()
    await ended
  }
  const restart = async (): Promise<void> => {
    await close()
    await open()
  }
  return {
    async prepare() {
      await open()
      flow.start()
      await flow.untilSteady()
    },
    run: (_, __, given) => answer(given as Given, { nc, flow, restart }),
    async clean() {
      await restart()
      await flow.drain()
      await close()
      await nc.flush()
    },
    close: () => nc.close(),
  }
})

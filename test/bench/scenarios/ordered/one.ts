import { AckPolicy, type ConsumerMessages, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { NAMESPACE } from '../../orders.ts'
import { connectPlain } from '../../twins/connect.ts'
import { leadHere } from '../../twins/leaders.ts'
import { serveVariant } from '../../variant.ts'
import { type Move, PARTITIONS } from './moves.ts'
import { type Work, workOf } from './work.ts'

const STREAM = `${NAMESPACE}_MOVES`

/**
 * How order is kept by hand: a durable for each partition of the subjects, whose next message comes once the one before is
 * acked. With more in flight a message that is delivered again would come after later ones.
 */
await serveVariant<{ workMs: number }>(async ({ servers, messages, settings: { workMs } }) => {
  const nc = await connectPlain(servers)
  const js = jetstream(nc)
  const jsm = await jetstreamManager(nc)
  const durables = (round: number): string[] => Array.from({ length: PARTITIONS }, (_, n) => `one-${round}-${n}`)
  let loops: { messages: ConsumerMessages; ended: Promise<void> }[] = []
  let work: Work
  return {
    async prepare(round) {
      for (const [partition, durable_name] of durables(round).entries()) {
        await jsm.consumers.add(STREAM, {
          durable_name,
          ack_policy: AckPolicy.Explicit,
          deliver_policy: DeliverPolicy.All,
          filter_subject: `${NAMESPACE}.stock.moved.${partition}.>`,
          ack_wait: nanos(30_000),
          max_ack_pending: 1,
          max_deliver: -1,
        })
        await leadHere(nc, { stream: STREAM, durable: durable_name })
      }
    },
    async run(round, begin) {
      let isFirst = true
      work = workOf({ messages, workMs })
      const handleAll = async (all: ConsumerMessages): Promise<void> => {
        for await (const msg of all) {
          if (isFirst) begin()
          isFirst = false
          await work.handle(JSON.parse(msg.string()) as Move)
          msg.ack()
        }
      }
      const consumers = await Promise.all(durables(round).map((durable) => js.consumers.get(STREAM, durable)))
      loops = await Promise.all(
        consumers.map(async (consumer) => {
          const all = await consumer.consume({ max_messages: 100 })
          return { messages: all, ended: handleAll(all) }
        }),
      )
      await work.done
      await nc.flush()
      return { messages }
    },
    async clean(round) {
      for (const loop of loops) {
        await loop.messages.close()
        await loop.ended
      }
      work.check()
      for (const durable of durables(round)) await jsm.consumers.delete(STREAM, durable)
    },
    close: () => nc.close(),
  }
})

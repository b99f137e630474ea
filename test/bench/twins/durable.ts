import { setTimeout as sleep } from 'node:timers/promises'
import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { ORDER_SUBJECT, ORDERS_STREAM } from './connect.ts'

/** A durable like that of a handler of the mesh. */
export async function makeDurable(jsm: JetStreamManager, durable: string): Promise<void> {
  await jsm.consumers.add(ORDERS_STREAM, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    filter_subjects: [ORDER_SUBJECT],
    ack_wait: nanos(30_000),
    max_ack_pending: 50_000,
    max_deliver: -1,
    max_waiting: 2048,
  })
}

const POLL_MS = 10

/** Resolves when so many messages were acked, by the server's account. */
export async function untilAllAcked(
  jsm: JetStreamManager,
  durable: string,
  messages: number,
  stream: string = ORDERS_STREAM,
): Promise<void> {
  for (;;) {
    const { ack_floor: floor, num_ack_pending: unacked } = await jsm.consumers.info(stream, durable)
    if (floor.consumer_seq >= messages && unacked === 0) return
    await sleep(POLL_MS)
  }
}

/** Replicas agree on acks a moment after the last one was sent. */
const AGREE_MS = 10_000

/** A round in which not every message was acked did not do its work. @throws Error */
export async function checkAllAcked(jsm: JetStreamManager, durable: string, messages: number): Promise<void> {
  const late = performance.now() + AGREE_MS
  for (;;) {
    const { ack_floor: floor, num_ack_pending: unacked } = await jsm.consumers.info(ORDERS_STREAM, durable)
    if (floor.consumer_seq >= messages && unacked === 0) return
    if (performance.now() > late)
      throw new Error(`${durable} acked ${floor.consumer_seq} of ${messages} in a row, and has ${unacked} in hand`)
    await sleep(POLL_MS)
  }
}

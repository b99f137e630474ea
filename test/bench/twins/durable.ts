import { setTimeout as sleep } from 'node:timers/promises'
import type { Mesh } from '@malha/mesh'
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
  jetstreamManager,
} from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { ORDER_SUBJECT, ORDERS_STREAM } from './connect.ts'
import { leadHere } from './leaders.ts'

/** A durable like that of a handler of the mesh, led by the server that the connection is at. */
export async function makeDurable(nc: NatsConnection, durable: string): Promise<void> {
  const jsm = await jetstreamManager(nc)
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
  await leadHere(nc, { stream: ORDERS_STREAM, durable })
}

/**
 * Durables of a service with another name in each round, made ahead of its start as the mesh made the one of the round
 * before: a start would take them before their leader could be moved. The first one the mesh makes itself.
 */
export function durablesAhead({ nats, names }: Mesh, { service, handler }: Service): DurablesAhead {
  const durableOf = (round: number): string => names.durable(service(round), handler)
  let last: { round: number; config: ConsumerConfig } | undefined
  return {
    durableOf,
    async make(round) {
      if (last === undefined) return
      const config = JSON.stringify(last.config).replaceAll(service(last.round), service(round))
      const jsm = await jetstreamManager(nats)
      await jsm.consumers.add(ORDERS_STREAM, JSON.parse(config) as ConsumerConfig)
      await leadHere(nats, { stream: ORDERS_STREAM, durable: durableOf(round) })
    },
    async delete(round) {
      const jsm = await jetstreamManager(nats)
      last = { round, config: (await jsm.consumers.info(ORDERS_STREAM, durableOf(round))).config }
      await jsm.consumers.delete(ORDERS_STREAM, durableOf(round))
    },
  }
}

type Service = { service: (round: number) => string; handler: string }

export interface DurablesAhead {
  durableOf(round: number): string
  make(round: number): Promise<void>
  delete(round: number): Promise<void>
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

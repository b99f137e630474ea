/**
 * Messages that the server gave up, because somebody gave a durable a `max_deliver`. It tells of some of them only, and lets
 * its floor pass others (docs/adr/0026-a-suspect-is-tried-alone.md): so a durable with a limit is set back to where it stood
 * when it had none.
 */
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { ConsumerFloor } from '../topology/stream-state.ts'

/** What is logged of a durable that was set back for it. */
export const GIVEN_UP =
  'the durable had a max_deliver, after which the server gives messages up; set back, so that none of them is lost'

type Durable = { stream: string; durable: string }

/**
 * Whether the server has given messages up, or is about to: it has a limit; or it counts more messages that were delivered
 * again than are unanswered, which only those it gave up account for (nats-server 2.15).
 */
export function givesUp({ mostDeliveries, redelivered, ackPending }: ConsumerFloor, isFirstLook: boolean): boolean {
  return mostDeliveries < Infinity || (isFirstLook && redelivered > ackPending)
}

/** For an operator who makes durables himself. */
export function limitFault({ mostDeliveries }: ConsumerFloor): Error {
  return new Error(
    `its max_deliver is ${mostDeliveries}, after which the server gives messages up; set it to -1, and what it gave up is delivered again`,
  )
}

/** Needs `$JS.API.CONSUMER.DURABLE.CREATE.<stream>.<durable>`. */
export async function liftLimit(nc: NatsConnection, { stream, durable }: Durable): Promise<void> {
  await (await jetstreamManager(nc, { checkAPI: false })).consumers.update(stream, durable, { max_deliver: -1 })
}

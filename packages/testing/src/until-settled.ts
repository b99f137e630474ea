import { type ConsumerInfo, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { eventually, type EventuallyOptions } from './eventually.ts'

/**
 * Waits until a durable has nothing more to do: nothing is pending or unacked, and the newest message that it takes is acked,
 * as the server counts what is pending only a moment after it has stored it, with replicas later still. Returns its state.
 *
 * Names are those of the server, with the namespace. A handler of a contract with a key has its events on
 * `<service>_<handler>_keyed`, which `mesh.names.durable(service, handler, 'keyed')` gives; the one without that ending is
 * settled from the start.
 * @param nats may ask for the state of consumers, and for stored messages
 * @throws Error as `eventually` does, with what is left to do, also when there is no such durable
 */
export async function untilSettled(
  nats: NatsConnection,
  stream: string,
  durable: string,
  options: EventuallyOptions = {},
): Promise<ConsumerInfo> {
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: 10_000 })
  return eventually(async () => {
    const { config } = await jsm.consumers.info(stream, durable)
    const newest = await newestOf(jsm, stream, config.filter_subjects ?? [config.filter_subject ?? '>'])
    // Looked at after the newest message is known: what is acked by then is no less.
    const info = await jsm.consumers.info(stream, durable)
    const { num_pending: pending, num_ack_pending: unacked, ack_floor: floor } = info
    if (pending > 0 || unacked > 0 || floor.stream_seq < newest)
      throw new Error(
        `${durable} of ${stream} has ${pending} pending and ${unacked} unacked, and acked up to ${floor.stream_seq} of ${newest}`,
      )
    return info
  }, options)
}

async function newestOf(jsm: JetStreamManager, stream: string, filters: readonly string[]): Promise<number> {
  const found = await Promise.all(filters.map((last_by_subj) => jsm.streams.getMessage(stream, { last_by_subj })))
  return Math.max(0, ...found.map((message) => message?.seq ?? 0))
}

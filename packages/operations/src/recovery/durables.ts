import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamManager,
  RetentionPolicy,
  type StreamInfo,
} from '@nats-io/jetstream'
import type { SavedDurable } from './manifest.ts'

/** The durables of a stream and where they stand. Needs `$JS.API.CONSUMER.LIST.<stream>`. */
export async function durablesOf(jsm: JetStreamManager, stream: string): Promise<SavedDurable[]> {
  const durables: SavedDurable[] = []
  for await (const info of jsm.consumers.list(stream))
    if (info.config.durable_name !== undefined) durables.push({ config: info.config, floor: floorOf(info) })
  return durables
}

/** All up to this sequence is done. One that was just made says so of what is before it only by where it begins. */
export function floorOf({ config, ack_floor, delivered, num_ack_pending }: ConsumerInfo): number {
  if (config.ack_policy === AckPolicy.None || num_ack_pending === 0) return delivered.stream_seq
  return Math.max(ack_floor.stream_seq, (config.opt_start_seq ?? 1) - 1)
}

/** A durable of a stream, made so that it begins behind a floor. Of a work queue all that is there is not done. */
export function behind(
  floor: number,
  config: Partial<ConsumerConfig>,
  { retention }: StreamInfo['config'],
): Partial<ConsumerConfig> {
  const { opt_start_seq: _, opt_start_time: __, metadata, ...kept } = config
  const begin =
    retention === RetentionPolicy.Limits
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: floor + 1 }
      : { deliver_policy: DeliverPolicy.All }
  return { ...kept, ...begin, ...(metadata && { metadata: ownMetadata(metadata) }) }
}

/** What a server says of itself in there it says again. */
export function ownMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !name.startsWith('_nats.')))
}

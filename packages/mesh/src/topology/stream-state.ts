import { type ConsumerInfo, jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { millis, type NatsConnection } from '@nats-io/transport-node'

export type StreamState = {
  readonly firstSeq: number
  /** 0 when nothing was ever stored. */
  readonly lastSeq: number
  readonly epoch: number
  readonly bytes: number
  /** Infinity without a limit. */
  readonly maxBytes: number
  /** Infinity without a limit. */
  readonly maxAgeMs: number
}

export type ConsumerFloor = {
  /** All up to this stream sequence is settled. */
  readonly ackFloor: number
  /** The highest stream sequence delivered. */
  readonly delivered: number
  /** Not delivered yet. */
  readonly pending: number
  /** Delivered, not settled. */
  readonly ackPending: number
  readonly redelivered: number
  /** Pull requests that wait at the server, of all instances. */
  readonly waiting: number
  /** After so many deliveries the server gives a message up; Infinity without a limit, as the mesh makes its durables. */
  readonly mostDeliveries: number
}

/** In the metadata of a stream that was brought back: the epoch it had before. Part of the wire. */
export const EPOCH = 'malha.epoch'

/**
 * When a stream was made, in seconds of unix time: a stream made again under the same name is another one. One that was brought
 * back from a backup or from the archive holds the same events under the same sequences, and says in its metadata which one it
 * is: the server gives it another `created` (nats-server 2.15.1).
 */
export function epochOf({ created, config }: Pick<StreamInfo, 'created'> & KeptEpoch): number {
  const kept = config?.metadata?.[EPOCH] ?? ''
  return /^\d{1,10}$/.test(kept) ? Number(kept) : Math.floor(Date.parse(created) / 1000)
}

type KeptEpoch = { config?: { metadata?: Record<string, string> } }

/**
 * Where a stream stands. `stream` with its namespace. Needs `$JS.API.STREAM.INFO.<stream>`.
 * @throws JetStreamApiError, StreamNotFoundError when it does not exist
 */
export async function streamState(nc: NatsConnection, stream: string): Promise<StreamState> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  return stateOf(await jsm.streams.info(stream))
}

/**
 * Where a durable stands. `stream` and `durable` with their namespace. Needs `$JS.API.CONSUMER.INFO.<stream>.<durable>`.
 * @throws JetStreamApiError, ConsumerNotFoundError when it does not exist
 */
export async function consumerFloor(nc: NatsConnection, stream: string, durable: string): Promise<ConsumerFloor> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  return floorOf(await jsm.consumers.info(stream, durable))
}

export function stateOf(info: StreamInfo): StreamState {
  const { config, state } = info
  return {
    firstSeq: state.first_seq,
    lastSeq: state.last_seq,
    epoch: epochOf(info),
    bytes: state.bytes,
    maxBytes: config.max_bytes > 0 ? config.max_bytes : Infinity,
    maxAgeMs: config.max_age > 0 ? millis(config.max_age) : Infinity,
  }
}

export function floorOf(info: ConsumerInfo): ConsumerFloor {
  return {
    ackFloor: info.ack_floor.stream_seq,
    delivered: info.delivered.stream_seq,
    pending: info.num_pending,
    ackPending: info.num_ack_pending,
    redelivered: info.num_redelivered,
    waiting: info.num_waiting,
    mostDeliveries: (info.config.max_deliver ?? -1) > 0 ? info.config.max_deliver! : Infinity,
  }
}

import { type ConsumerInfo, jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { apiCode, apiCodes } from '../topology/api-errors.ts'
import { ORDER } from '../topology/consumer-config.ts'
import { isOfNamespace, type Names } from '../topology/names.ts'
import { type ConsumerFloor, epochOf, floorOf } from '../topology/stream-state.ts'

/** A durable that the mesh made, whoever runs. Names as on the server. */
export type OwnDurable = {
  readonly stream: string
  readonly durable: string
  readonly epoch: number
  /** Its stream holds only what is not done yet: lanes, and what is published for later. */
  readonly isQueue: boolean
  /** Of a type that is delayed: `malha`, `delays`. */
  readonly labels: { readonly service: string; readonly handler: string }
  readonly floor: ConsumerFloor
}

/** The streams of a namespace that durables may be on, and what else of it is asked for. */
export type OwnStreams = {
  readonly streams: readonly StreamInfo[]
  readonly advisories: StreamInfo | undefined
  readonly letters: StreamInfo | undefined
}

const QUEUES = new Set(['lanes', 'delays'])
const KINDS = new Set(['events', 'mesh', 'audit', ...QUEUES])

/** Needs `$JS.API.STREAM.LIST`. */
export async function ownStreams(nc: NatsConnection, names: Names): Promise<OwnStreams> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const own: StreamInfo[] = []
  for await (const info of jsm.streams.list()) if (isOfNamespace(names, info.config.name)) own.push(info)
  const ofKind = (kind: string): StreamInfo | undefined => own.find((info) => kindOf(info) === kind)
  return {
    streams: own.filter((info) => KINDS.has(kindOf(info))),
    advisories: ofKind('advisories'),
    letters: ofKind('dead-letters'),
  }
}

/** Needs `$JS.API.CONSUMER.LIST.<stream>`. */
export async function ownDurables(nc: NatsConnection, stream: StreamInfo): Promise<OwnDurable[]> {
  if (stream.state.consumer_count === 0) return []
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const found: OwnDurable[] = []
  try {
    for await (const info of jsm.consumers.list(stream.config.name)) found.push(...ownDurable(stream, info))
  } catch (error) {
    // Removed since it was listed.
    if (apiCode(error) !== apiCodes.streamMissing) throw error
  }
  return found
}

/** Undefined where it is not the mesh's, or not there any more. Needs `$JS.API.STREAM.INFO.<stream>`, `CONSUMER.INFO.<stream>.<durable>`. */
export async function findDurable(
  nc: NatsConnection,
  { stream, durable }: Pick<OwnDurable, 'stream' | 'durable'>,
): Promise<OwnDurable | undefined> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  try {
    return ownDurable(await jsm.streams.info(stream), await jsm.consumers.info(stream, durable))[0]
  } catch (error) {
    if ([apiCodes.streamMissing, apiCodes.consumerMissing].some((code) => code === apiCode(error))) return undefined
    throw error
  }
}

/** An ordered handler takes nothing from its durable on the lane, which is put right when it starts. */
function ownDurable(stream: StreamInfo, info: ConsumerInfo): OwnDurable[] {
  const { durable_name: durable, metadata = {} } = info.config
  const kind = kindOf(stream)
  const { 'malha.service': service, 'malha.handler': handler } = metadata
  const isOfHandler = service !== undefined && handler !== undefined && metadata[ORDER] === undefined
  const isOfDelays = kind === 'delays' && metadata['malha.type'] !== undefined
  if (durable === undefined || !KINDS.has(kind) || (!isOfHandler && !isOfDelays)) return []
  const labels = isOfHandler ? { service, handler } : { service: 'malha', handler: 'delays' }
  const place = { stream: stream.config.name, durable, epoch: epochOf(stream), isQueue: QUEUES.has(kind) }
  return [{ ...place, labels, floor: floorOf(info) }]
}

const kindOf = ({ config }: StreamInfo): string => config.metadata?.['malha.kind'] ?? ''

import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Beginning, PartitionStore } from '../consume/ordered/partition-store.ts'
import { faultsError, type MeshError } from '../errors.ts'
import { type Logger, silentLogger } from '../observe/logger.ts'
import { getStored } from '../read/stored-message.ts'
import type { HandlerDef } from '../service/define.ts'
import { apiCode, apiCodes, deniedSubject } from './api-errors.ts'
import { type EnsuredConsumer, startFromSentence } from './consumer.ts'
import { ORDER, SHADOW, takenBy } from './consumer-config.ts'
import { eventDurablesOf } from './event-durables.ts'
import type { Names } from './names.ts'
import { type StreamState, streamState } from './stream-state.ts'

export type OrderOptions = { service: string; handler: string; def: HandlerDef }

export type EnsureOrderedOptions = OrderOptions & {
  /** The event stream, with the namespace. */
  stream: string
  store: PartitionStore
  /** @default silent */
  log?: Logger
}

/**
 * Whether a handler may be what it is declared: its lane durable remembers whether its order was kept before, or it was a shadow. Called before
 * that durable is brought to its declaration.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function checkOrder(nc: NatsConnection, names: Names, options: OrderOptions): Promise<void> {
  const { service, handler, def } = options
  if (def.order !== undefined) return
  const durable = names.durable(service, handler)
  const lane = await infoOf(nc, names.lanes(service), durable)
  if (lane?.config.metadata?.[SHADOW] !== undefined)
    throw fault(
      options,
      'it was a shadow before, which what it did not handle then would be taken for; give it another name',
    )
  if (lane?.config.metadata?.[ORDER] === undefined) return
  throw fault(
    options,
    `it kept the order of its keys before, and how far it is stands by partition in the bucket; without order it would begin anew. ` +
      `Keep order: 'key', or give the handler another name with startFrom and list this one in retired: ['${handler}']`,
  )
}

/**
 * Makes sure that it is known where an ordered handler began. One that was not ordered goes on where its durable stands,
 * which must have nothing in hand; then that durable is removed.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function ensureOrdered(
  nc: NatsConnection,
  names: Names,
  options: EnsureOrderedOptions,
): Promise<{ consumer: EnsuredConsumer; beginning: Beginning }> {
  const { stream, store, service, handler, def, log = silentLogger } = options
  const durable = names.durable(service, handler)
  const state = await streamState(nc, stream)
  // In this order: another instance that does the same removes the durable only after it has said where it began.
  const parts = eventDurablesOf(def).map(({ part }) => names.durable(service, handler, part))
  const found = await Promise.all(parts.map((part) => infoOf(nc, stream, part)))
  const before = found.filter((info) => info !== undefined)
  const known = await store.readBeginning()
  const { partitions } = def.source.stream
  if (known && known.partitions !== partitions)
    throw fault(
      options,
      `it began with ${known.partitions} partitions, and its stream has ${partitions} now; give the handler another name with startFrom`,
    )
  if (known && known.stream !== stream)
    throw fault(
      options,
      `it kept the order of keys of ${known.stream} before, and reads ${stream} now; give the handler on ${stream} another name and keep this one, or list it in retired`,
    )
  const read = known ? known.read : await readFrom(nc, names, { ...options, before, state })
  const beginning = known ?? (await store.begin({ stream, epoch: state.epoch, partitions, read }))
  for (const { name } of before) {
    log.warn(
      { stream, durable: name, read },
      'the handler keeps the order of its keys from here on; its durable is removed',
    )
    await removed(nc, stream, name)
  }
  const consumer = { stream, durable, epoch: state.epoch, created: known === undefined, filters: [], settled: read }
  return { consumer, beginning }
}

/** All up to there is not for this handler, or was done by it before. */
async function readFrom(nc: NatsConnection, names: Names, options: EnsureOrderedOptions & Found): Promise<number> {
  const { service, before } = options
  if (before.length === 0) return startOf(nc, options)
  const unacked = before.reduce((sum, info) => sum + info.num_ack_pending, 0)
  const inHand = unacked + (await onLane(nc, names, options))
  if (before.some((info) => info.num_waiting > 0))
    throw fault(options, `a release of ${service} without order runs still; stop it first`)
  if (inHand > 0)
    throw fault(
      options,
      `${inHand} messages wait for a retry from when it kept no order; let the release before finish them, then start this one`,
    )
  return Math.min(...(await Promise.all(before.map((info) => allDoneUpTo(nc, options, info)))))
}

/** All that a durable takes was delivered up to there, which is behind its last delivery where nothing followed that. */
async function allDoneUpTo(
  nc: NatsConnection,
  { stream }: OrderOptions & { stream: string },
  info: ConsumerInfo,
): Promise<number> {
  const { lastSeq } = await streamState(nc, stream)
  const seq = Math.min(info.delivered.stream_seq, lastSeq) + 1
  const next = await Promise.all(
    takenBy(info.config).map((filter) => getStored(nc, stream, { seq, next_by_subj: filter })),
  )
  return Math.min(lastSeq, ...next.map((event) => (event ? event.seq - 1 : lastSeq)))
}

type Found = { before: readonly ConsumerInfo[]; state: StreamState }

/** What waits on the lane of a handler, due or not. */
async function onLane(nc: NatsConnection, names: Names, { service, handler }: OrderOptions): Promise<number> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const filter = `${names.laneOf(service, handler)}>`
  const { state } = await jsm.streams.info(names.lanes(service), { subjects_filter: filter })
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0)
}

async function startOf(nc: NatsConnection, options: EnsureOrderedOptions & Found): Promise<number> {
  const { stream, def, state } = options
  const { startFrom } = def
  if (startFrom === undefined && state.lastSeq > 0) throw fault(options, startFromSentence(state))
  if (startFrom === 'new') return state.lastSeq
  if (!(startFrom instanceof Date)) return 0
  const first = await getStored(nc, stream, { start_time: startFrom.toISOString(), next_by_subj: '>' })
  return first ? first.seq - 1 : state.lastSeq
}

function fault({ service, handler }: OrderOptions, sentence: string): MeshError {
  return faultsError('MESH_TOPOLOGY', `handler ${handler} of ${service}`, [sentence])
}

/** By this instance or another. */
async function removed(nc: NatsConnection, stream: string, durable: string): Promise<void> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  await jsm.consumers.delete(stream, durable).catch((error: unknown) => {
    if (apiCode(error) !== apiCodes.consumerMissing) throw error
  })
}

async function infoOf(nc: NatsConnection, stream: string, durable: string): Promise<ConsumerInfo | undefined> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  return jsm.consumers.info(stream, durable).catch((error: unknown) => {
    const missing: number[] = [apiCodes.consumerMissing, apiCodes.streamMissing]
    if (missing.includes(apiCode(error)) || deniedSubject(error) !== undefined) return undefined
    throw error
  })
}

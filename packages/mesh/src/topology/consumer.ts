import { type ConsumerInfo, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { faultsError, MeshError } from '../errors.ts'
import type { TopologyMode } from '../lifecycle/options.ts'
import { type Logger, silentLogger } from '../observe/logger.ts'
import type { HandlerDef } from '../service/define.ts'
import { apiCode, apiCodes, apiSentence } from './api-errors.ts'
import { ASK_MS, askAgain } from './ask-again.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import {
  consumerToAdd,
  type DesiredConsumer,
  diffConsumer,
  eventConsumer,
  laneConsumer,
  ORDER,
  type Start,
  startAt,
  startAtSeq,
  takenBy,
} from './consumer-config.ts'
import type { EventDurable } from './event-durables.ts'
import type { Names } from './names.ts'
import { type StreamState, stateOf } from './stream-state.ts'
import { contains } from './subject-overlap.ts'

export type EnsureLaneConsumerOptions = {
  /** Make what is missing and leave the rest: at run time another release may have changed it rightly. @default false */
  onlyMissing?: boolean
  service: string
  handler: string
  def: HandlerDef
  mode: TopologyMode
  /** @default silent */
  log?: Logger
}

export type EnsureConsumerOptions = EnsureLaneConsumerOptions & {
  /** Which of the handler's durables. */
  durable: EventDurable
  /** The handler's event stream, with the namespace. */
  stream: string
  /** As `openCheckpoints` gives it. */
  checkpoints: KV
}

export type EnsuredConsumer = {
  /** With the namespace. */
  readonly stream: string
  readonly durable: string
  /** Subjects it takes, with the namespace. */
  readonly filters: readonly string[]
  readonly epoch: number
  readonly created: boolean
  /** The first sequence a durable that was just made may deliver. */
  readonly startSeq?: number
  /** All up to this sequence is accounted for: acked, aged out and written down, or from before the handler began. */
  readonly settled: number
}

/** For faults: which durable of which handler. */
type Place = { readonly handler: string; readonly stream: string; readonly durable: string }

type Task = Place & {
  readonly onlyMissing: boolean
  readonly jsm: JetStreamManager
  readonly desired: DesiredConsumer
  readonly mode: TopologyMode
  readonly log: Logger
}

/** Another instance may make the durable between our looking and our making it. */
const ATTEMPTS = 5

/**
 * Makes sure that a handler's durable is there and as declared. A durable is never deleted to change it. One that is
 * missing although a checkpoint says it was there is made again at its floor + 1; on a stream that was itself made
 * again since, at 1. Only a handler without a past needs `startFrom`, and only on a stream with history.
 * Needs `$JS.API.STREAM.INFO.<stream>` and `CONSUMER.INFO.<stream>.<durable>`, for `ensure` also
 * `CONSUMER.DURABLE.CREATE.<stream>.<durable>`, and the checkpoint bucket.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function ensureConsumer(
  nc: NatsConnection,
  names: Names,
  options: EnsureConsumerOptions,
): Promise<EnsuredConsumer> {
  const { service, handler, durable, stream, checkpoints } = options
  const task = await taskOf(nc, options, {
    stream,
    durable: names.durable(service, handler, durable.part),
    desired: eventConsumer(names, { ...options, filters: durable.filters }),
  })
  return guarded(task, async () => {
    const { ensured, info, state } = await ensure(task, (state) =>
      startOf(task, { state, checkpoints, startFrom: durable.startFrom }),
    )
    return { ...ensured, settled: await settledOf(task, { ensured, info, state, checkpoints }) }
  })
}

/**
 * The same for the durable on the service's lanes. A work queue keeps what is not done, so it always begins at its
 * first message and needs no checkpoint.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function ensureLaneConsumer(
  nc: NatsConnection,
  names: Names,
  options: EnsureLaneConsumerOptions,
): Promise<EnsuredConsumer> {
  const { service, handler } = options
  const task = await taskOf(nc, options, {
    stream: names.lanes(service),
    durable: names.durable(service, handler),
    desired: laneConsumer(names, options),
  })
  return guarded(task, async () => {
    const { ensured, info } = await ensure(task, () => Promise.resolve({ start: startAt('all', 0) }))
    return { ...ensured, settled: info.ack_floor.stream_seq }
  })
}

async function taskOf(
  nc: NatsConnection,
  { handler, mode, log, onlyMissing = false }: EnsureLaneConsumerOptions,
  what: Pick<Task, 'stream' | 'durable' | 'desired'>,
): Promise<Task> {
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: ASK_MS })
  return { jsm, handler, mode, onlyMissing, log: log ?? silentLogger, ...what }
}

/** Runs `run`, again while nobody answers. What it throws comes as MESH_TOPOLOGY, and says of which durable. */
export async function guarded<T>(task: Place, run: () => Promise<T>): Promise<T> {
  try {
    return await askAgain(run)
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw fault(task, apiSentence(error), error)
  }
}

function fault(task: Place, sentence: string, cause?: unknown): MeshError {
  const what = `handler ${task.handler}, durable ${task.durable} on stream ${task.stream}`
  const error = faultsError('MESH_TOPOLOGY', what, [sentence])
  return cause === undefined ? error : Object.assign(error, { cause })
}

type Planned = { start: Start; why?: string }
type Found = { ensured: Omit<EnsuredConsumer, 'settled'>; info: ConsumerInfo; state: StreamState }

async function ensure(task: Task, plan: (state: StreamState) => Promise<Planned>): Promise<Found> {
  const { jsm, stream, durable } = task
  const state = stateOf(await streamInfo(task))
  const base = { stream, durable, filters: task.desired.filter_subjects, epoch: state.epoch }
  for (let attempt = 1; ; attempt++) {
    const existing = await infoOf(task)
    if (existing !== undefined) {
      if (task.mode !== 'none' && !task.onlyMissing) await reconcile(task, existing)
      return { ensured: { ...base, created: false }, info: existing, state }
    }
    if (task.mode !== 'ensure')
      throw fault(task, `it does not exist, and MALHA_TOPOLOGY=${task.mode} makes none; create it first`)
    const { start, why } = await plan(state)
    try {
      const info = await jsm.consumers.add(stream, consumerToAdd(durable, task.desired, start))
      const startSeq = info.delivered.stream_seq + 1
      task.log.info({ stream, durable, startSeq, ...start }, why ?? 'durable made')
      return { ensured: { ...base, created: true, startSeq }, info, state }
    } catch (error) {
      const taken = [apiCodes.consumerExists, apiCodes.consumerNameTaken].some((code) => code === apiCode(error))
      if (!taken || attempt === ATTEMPTS) throw error
    }
  }
}

async function streamInfo(task: Task): ReturnType<JetStreamManager['streams']['info']> {
  return task.jsm.streams.info(task.stream).catch((error: unknown) => {
    if (apiCode(error) !== apiCodes.streamMissing) throw error
    throw fault(task, 'the stream does not exist; start with MALHA_TOPOLOGY=ensure, or create it first', error)
  })
}

/** Undefined when it does not exist. */
export async function infoOf(task: Pick<Task, 'jsm' | 'stream' | 'durable'>): Promise<ConsumerInfo | undefined> {
  return task.jsm.consumers.info(task.stream, task.durable).catch((error: unknown) => {
    if (apiCode(error) === apiCodes.consumerMissing) return undefined
    throw error
  })
}

async function reconcile(task: Task, info: ConsumerInfo): Promise<void> {
  const { config } = info
  if (config.ack_policy !== 'explicit' || config.deliver_subject !== undefined)
    throw fault(
      task,
      'a consumer of this name exists that is no pull consumer with explicit acks, so not one of the mesh; remove it, or rename the handler',
    )
  const { max_deliver } = task.desired
  // A limit that somebody set is lifted where what the server gave up meanwhile is found (consume/given-up.ts).
  const isLeft = task.mode === 'ensure' && task.desired.metadata[ORDER] === undefined
  const { changes, describe } = diffConsumer(
    task.desired,
    isLeft && max_deliver !== undefined ? { ...config, max_deliver } : config,
  )
  if (changes === undefined) return
  if (task.mode === 'verify')
    throw fault(task, `it differs from its declaration, and MALHA_TOPOLOGY=verify changes none: ${describe}`)
  const dropped = droppedFilters(task.handler, info, task.desired)
  await task.jsm.consumers.update(task.stream, task.durable, changes)
  const fields = { stream: task.stream, durable: task.durable, changes: describe }
  if (dropped.length > 0)
    task.log.warn({ ...fields, dropped }, 'the durable takes fewer subjects now; events on the others are not handled')
  else task.log.info(fields, 'durable updated')
}

/**
 * What a durable takes and would take no more.
 * @throws MeshError MESH_TOPOLOGY when somebody pulls from it, or pulls for another topic: its filter takes more than that,
 * and what is beyond is acked unseen
 */
export function droppedFilters(
  handler: string,
  info: ConsumerInfo,
  { filter_subjects: wanted, metadata }: Pick<DesiredConsumer, 'filter_subjects' | 'metadata'>,
): string[] {
  const { config, name, stream_name: stream, num_waiting: pulling } = info
  const dropped = takenBy(config).filter((filter) => !wanted.some((wide) => contains(wide, filter)))
  if (pulling === 0) return dropped
  const lost =
    `those events would be lost to it. If that one is newer, start it in place of this one; ` +
    `otherwise stop it first, or give the handler another name`
  const place = { handler, stream, durable: name }
  if (dropped.length > 0)
    throw fault(place, `a release that runs now takes ${dropped.join(', ')} here, which this one does not: ${lost}`)
  const [before = '', type = ''] = [config.metadata?.['malha.type'], metadata['malha.type']]
  if (before !== type && isPattern(before) && isPattern(type))
    throw fault(
      place,
      `a release that runs now takes ${before}, and this one ${type}: each passes over what only the other handles, and ${lost}`,
    )
  return dropped
}

const isPattern = (type: string): boolean => /[*>]/.test(type)

/** Where a durable that is missing begins, and why there. */
async function startOf(
  task: Task,
  { state, startFrom, checkpoints }: { state: StreamState; startFrom: EventDurable['startFrom']; checkpoints: KV },
): Promise<Planned> {
  const checkpoint = await readCheckpoint(checkpoints, task.durable)
  if (checkpoint !== undefined && checkpoint.stream === task.stream) {
    if (checkpoint.epoch !== state.epoch)
      return {
        start: startAtSeq(1),
        why: 'the stream was made again since the last checkpoint: the durable begins at 1',
      }
    // A stream that lost its end gives the same numbers to new events; starting past its end would skip those.
    const floor = Math.min(checkpoint.floor, state.lastSeq)
    return { start: startAtSeq(floor + 1), why: 'the durable was missing: made again after its last checkpoint' }
  }
  if (startFrom === undefined && state.lastSeq > 0) throw fault(task, startFromSentence(state))
  return { start: startAt(startFrom, state.lastSeq) }
}

export function startFromSentence({ firstSeq, lastSeq }: StreamState): string {
  return (
    `it has no durable and no checkpoint, and the stream already had ${lastSeq} events (${firstSeq} to ${lastSeq} are left); ` +
    `say where to begin with startFrom: 'all' for every event that is left, 'new' for none of them, or a Date`
  )
}

/**
 * From its first moment a durable has a checkpoint: it tells a lost durable from a handler that is new, and how far
 * events that aged out are accounted for.
 */
async function settledOf(
  task: Task,
  { ensured, info, state, checkpoints }: Found & { checkpoints: KV },
): Promise<number> {
  const known = await readCheckpoint(checkpoints, task.durable)
  const floor = info.ack_floor.stream_seq
  if (known?.stream === task.stream && known.epoch === ensured.epoch) return Math.min(known.settled, state.lastSeq)
  // What a new handler finds gone was never its to handle; on a stream made again, it was.
  const isNew = ensured.created && known?.stream !== task.stream
  const settled = isNew ? Math.max(floor, state.firstSeq - 1) : floor
  if (task.mode !== 'none')
    await writeCheckpoint(checkpoints, task.durable, {
      v: 1,
      stream: task.stream,
      epoch: ensured.epoch,
      floor,
      settled,
    })
  return settled
}

import { jetstreamManager, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { millis, type NatsConnection } from '@nats-io/transport-node'
import { faultsError } from '../errors.ts'
import type { TopologyMode } from '../lifecycle/options.ts'
import { type Logger, silentLogger } from '../observe/logger.ts'
import { accountFaults } from './account-limit.ts'
import { apiCode, apiCodes, apiSentence } from './api-errors.ts'
import { ASK_MS, askAgain } from './ask-again.ts'
import { declared } from './declared.ts'
import { openCheckpoints } from './checkpoint.ts'
import { diffStream } from './diff.ts'
import type { Names } from './names.ts'
import { epochOf } from './stream-state.ts'
import type { StreamDef } from './stream.ts'
import {
  auditLogStream,
  contractsStream,
  controlStream,
  type DesiredStream,
  notificationStream,
  operationsStream,
} from './system.ts'
import { withUpdateLock } from './update-lock.ts'

export type ProvisionOptions = {
  /** The contracts' streams; the mesh's own are always added. */
  streams: readonly StreamDef[]
  /** The service whose lanes are needed too. */
  lanesFor?: string
  /** It has handlers that keep the order of keys. @default false */
  ordered?: boolean
  /** Whether the bucket of inboxes is needed too. */
  inbox?: boolean
  mode: TopologyMode
  /** For streams that do not say themselves. @default 1 when a stream is made, otherwise as it is */
  replicas?: number | undefined
  /** @default silent */
  log?: Logger
}

/** What was found or done, a line a stream, for the boot report. */
export type BootStream = {
  /** With the namespace. */
  readonly name: string
  readonly subjects: readonly string[]
  /** What it reserves on each replica, bytes; Infinity without a limit. */
  readonly maxBytes: number
  /** Infinity without a limit. */
  readonly maxAgeMs: number
  readonly replicas: number
  /** 0 when it could not be read (mode `none`). */
  readonly epoch: number
  readonly action: 'created' | 'updated' | 'unchanged' | 'not-checked'
}

/** A stream beside what the server has under its name. */
type Compared = { readonly desired: DesiredStream; readonly info: StreamInfo | undefined }

type Run = {
  readonly jsm: JetStreamManager
  readonly mode: TopologyMode
  readonly log: Logger
  /** Holds the locks of updates; made before anything else. */
  readonly bucket: KV
}

/**
 * Makes, updates or compares the streams. Nothing is changed before all of them are found to be without fault. Several
 * processes may do this at once.
 * Needs `$JS.API.STREAM.INFO.<stream>`, for `ensure` also `STREAM.CREATE` and, to change one, `STREAM.UPDATE` and the checkpoint bucket; `$JS.API.INFO` is used when allowed.
 * @throws MeshError MESH_TOPOLOGY with every fault of every stream
 */
export async function provisionStreams(
  nc: NatsConnection,
  names: Names,
  options: ProvisionOptions,
): Promise<{ streams: BootStream[] }> {
  const { desired, faults } = declared(names, options)
  if (faults.length > 0) throw topologyError(faults)
  return await bringAbout(nc, names, { desired, mode: options.mode, log: options.log })
}

/** Streams as they should be, whoever declares them. @throws MeshError MESH_TOPOLOGY */
export async function bringAbout(
  nc: NatsConnection,
  names: Names,
  {
    desired,
    mode,
    log = silentLogger,
  }: { desired: readonly DesiredStream[]; mode: TopologyMode; log?: Logger | undefined },
): Promise<{ streams: BootStream[] }> {
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: ASK_MS })
  const bucket = await openCheckpoints(nc, names)
  const run: Run = { jsm, mode, log, bucket }
  if (mode === 'none') return { streams: await Promise.all(desired.map((one) => report(jsm, one))) }

  const compared = await settleAll(desired, (one) => compare(run, one))
  const found = [...compared.faults, ...compared.results.flatMap((one) => faultsOf(run, one))]
  if (mode === 'ensure' && found.length === 0) found.push(...(await accountFaults(jsm, compared.results)))
  if (found.length > 0) throw topologyError(found)

  // All new ones first: changing a stream needs the bucket, which may be among them.
  const made = await settleAll(compared.results, (one) => create(run, one))
  if (made.faults.length > 0) throw topologyError(made.faults)
  const applied = await settleAll(made.results, (one) => ('desired' in one ? update(run, one) : Promise.resolve(one)))
  if (applied.faults.length > 0) throw topologyError(applied.faults)
  return { streams: applied.results }
}

function topologyError(faults: readonly string[]): Error {
  return faultsError('MESH_TOPOLOGY', 'streams', faults)
}

type Place = { nats: NatsConnection; names: Names }

/**
 * Makes the stream `OPERATIONS` where it is missing: whoever begins the first run does. As many replicas as the dead letters have.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function provisionOperations(place: Place): Promise<void> {
  await provisionLike(place, operationsStream)
}

/**
 * Makes the stream `AUDIT` where it is missing: whoever does something first does. As many replicas as the dead letters have.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function provisionAudit(place: Place): Promise<void> {
  await provisionLike(place, auditLogStream)
}

/**
 * Makes the bucket `HANDLERS` where it is missing: whoever first pauses a handler does. As many replicas as the dead letters have.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function provisionControls(place: Place): Promise<void> {
  await provisionLike(place, controlStream)
}

/**
 * Makes the bucket `NOTIFICATIONS` where it is missing: the first notifier does. As many replicas as the dead letters have.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function provisionNotifications(place: Place): Promise<void> {
  await provisionLike(place, notificationStream)
}

async function provisionLike(
  { nats, names }: Place,
  desired: (names: Names, replicas?: number) => DesiredStream,
): Promise<void> {
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: ASK_MS })
  const letters = await infoOf(jsm, names.stream('DEAD_LETTERS'))
  await bringAbout(nats, names, { desired: [desired(names, letters?.config.num_replicas)], mode: 'ensure' })
}

/**
 * Makes the bucket in which services say their contracts, where it is missing.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function provisionContracts(
  nc: NatsConnection,
  names: Names,
  { replicas, log }: { replicas: number | undefined; log: Logger },
): Promise<void> {
  await bringAbout(nc, names, { desired: [contractsStream(names, replicas)], mode: 'ensure', log })
}

/** Runs all, so that one failure does not hide another. */
async function settleAll<In extends DesiredStream | Compared | BootStream, Out>(
  list: readonly In[],
  run: (one: In) => Promise<Out>,
): Promise<{ results: Out[]; faults: string[] }> {
  const settled = await Promise.allSettled(list.map((one) => askAgain(() => run(one))))
  const results: Out[] = []
  const faults: string[] = []
  for (const [index, one] of settled.entries()) {
    if (one.status === 'fulfilled') results.push(one.value)
    else faults.push(`stream ${nameOf(list[index])}: ${apiSentence(one.reason)}`)
  }
  return { results, faults }
}

function nameOf(one: DesiredStream | Compared | BootStream | undefined): string {
  if (one === undefined) return ''
  return 'desired' in one ? one.desired.name : one.name
}

async function compare(run: Run, desired: DesiredStream): Promise<Compared> {
  return { desired, info: await infoOf(run.jsm, desired.name) }
}

async function infoOf(jsm: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  return jsm.streams.info(name).catch((error: unknown) => {
    if (apiCode(error) === apiCodes.streamMissing) return undefined
    throw error
  })
}

function faultsOf({ mode }: Run, { desired, info }: Compared): string[] {
  const say = (fault: string): string => `stream ${desired.name}: ${fault}`
  if (info === undefined)
    return mode === 'verify' ? [say('it does not exist, and MALHA_TOPOLOGY=verify makes none; create it first')] : []
  const diff = diffStream(desired, info.config)
  if (diff.kind === 'faults') return diff.faults.map(say)
  if (diff.kind === 'update' && mode === 'verify')
    return [say(`it differs from its declaration, and MALHA_TOPOLOGY=verify changes none: ${diff.describe}`)]
  return []
}

/** Makes a stream that is missing. One that exists, or that another process makes at this moment, comes back as it is. */
async function create({ jsm, log }: Run, { desired, info }: Compared): Promise<BootStream | Compared> {
  if (info !== undefined) return { desired, info }
  const { name, config, metadata, replicas } = desired
  try {
    const made = await jsm.streams.add({
      name,
      ...config,
      metadata,
      ...(replicas !== undefined && { num_replicas: replicas }),
    })
    log.info({ stream: name, subjects: config.subjects }, 'stream made')
    return bootStream(made, 'created')
  } catch (error) {
    if (apiCode(error) === apiCodes.subjectsOverlap) throw await overlapError(jsm, desired, error)
    if (apiCode(error) !== apiCodes.streamNameTaken) throw error
    return { desired, info: await jsm.streams.info(name) }
  }
}

/** Brings a stream that exists to its declaration, unless another process did meanwhile. */
async function update(run: Run, { desired, info }: Compared): Promise<BootStream> {
  const { jsm, log, bucket } = run
  if (info !== undefined && diffStream(desired, info.config).kind !== 'update') return unchanged(run, desired, info)
  return withUpdateLock(bucket, desired.name, async () => {
    const current = await jsm.streams.info(desired.name)
    const diff = diffStream(desired, current.config)
    if (diff.kind !== 'update') return unchanged(run, desired, current)
    const updated = await jsm.streams.update(desired.name, diff.changes).catch(async (error: unknown) => {
      throw apiCode(error) === apiCodes.subjectsOverlap ? await overlapError(jsm, desired, error) : error
    })
    for (const note of diff.notes) log.warn({ stream: desired.name }, `stream ${desired.name}: ${note}`)
    log.info({ stream: desired.name, changes: diff.describe }, 'stream updated')
    return bootStream(updated, 'updated')
  })
}

function unchanged({ log }: Run, desired: DesiredStream, info: StreamInfo): BootStream {
  const diff = diffStream(desired, info.config)
  if (diff.kind === 'faults') throw new Error(diff.faults.join('; '))
  for (const note of diff.notes) log.warn({ stream: desired.name }, `stream ${desired.name}: ${note}`)
  return bootStream(info, 'unchanged')
}

/** Names the stream that is in the way, when this user may ask. */
async function overlapError(jsm: JetStreamManager, desired: DesiredStream, cause: unknown): Promise<Error> {
  const others = new Set<string>()
  for (const subject of desired.config.subjects) {
    const lister = jsm.streams.names(subject)
    const found = await lister.next().catch(() => [])
    for (const name of found) if (name !== desired.name) others.add(name)
  }
  const which = others.size === 0 ? 'another stream' : [...others].join(', ')
  return new Error(`its subjects ${desired.config.subjects.join(', ')} overlap with ${which}; narrow one of them`, {
    cause,
  })
}

/** What can be read of a stream that is trusted to be there. */
async function report(jsm: JetStreamManager, desired: DesiredStream): Promise<BootStream> {
  const info = await jsm.streams.info(desired.name).catch(() => undefined)
  if (info !== undefined) return bootStream(info, 'not-checked')
  const { subjects, max_bytes: maxBytes, max_age: maxAge } = desired.config
  return {
    name: desired.name,
    subjects,
    maxBytes: limit(maxBytes),
    maxAgeMs: millis(limit(maxAge)),
    replicas: desired.replicas ?? 1,
    epoch: 0,
    action: 'not-checked',
  }
}

function bootStream(info: StreamInfo, action: BootStream['action']): BootStream {
  const { name, subjects, max_bytes: maxBytes, max_age: maxAge, num_replicas: replicas } = info.config
  const maxAgeMs = maxAge > 0 ? millis(maxAge) : Infinity
  return { name, subjects, maxBytes: limit(maxBytes), maxAgeMs, replicas, epoch: epochOf(info), action }
}

function limit(value: number): number {
  return value > 0 ? value : Infinity
}

/**
 * A mesh whose broker lost its disk, made again from the archive; or one that was restored from a backup, brought up to what
 * the archive has.
 *
 * A1  Every event keeps its stream, epoch and sequence: letters, checkpoints, records and views go on meaning the same ones.
 * A2  Handlers begin behind the floor that the archive has of them. It was written down when all that was done below it was
 *     archived, so nothing below it is handled again and nothing above it is missing.
 * A3  What waited on lanes is put there again, behind all else.
 * A4  Called again, it goes on where it was.
 */
import { type ClickHouseOptions, replayReader } from '@malha/archive'
import { EPOCH, type Mesh } from '@malha/mesh'
import { type ConsumerConfig, jetstream, jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { bringBack, removeFillers } from './bring-back.ts'
import { orGoOnLater } from './broken-off.ts'
import { behind, durablesOf, ownMetadata } from './durables.ts'
import { type LaneTask, mendLane, waitingIn } from './rebuild-lanes.ts'
import { isArchived, type PlannedStream, planRebuild, type RebuildPlan } from './rebuild-plan.ts'
import { streamOf } from './stream-of.ts'

export type RebuildOptions = {
  /** Of the archive. */
  archive: ClickHouseOptions
  /** Of each stream that is made. @default as it had */
  replicas?: number | undefined
  /** Only counts. @default false */
  dryRun?: boolean
  onProgress?: (progress: { stream: string; events: number; isDone: boolean }) => void
}

export type Rebuilt = {
  readonly streams: readonly PlannedStream[]
  /** Durables and partitions of ordered handlers that were made behind their floors. */
  readonly durables: number
  readonly partitions: number
  /** Events that waited for a retry, on lanes again. */
  readonly waiting: number
  /** Events that waited for a retry, and that the archive has not: nobody handles them. */
  readonly missing: number
  /** When the archive wrote down last where handlers stood, RFC 3339; what was done later is done again. */
  readonly floorsAt: string
}

type Task = LaneTask & { replicas: number | undefined }

/**
 * Rebuilds. The services of the mesh, and its archive process, must not run meanwhile.
 * @throws OperationsError OPERATIONS_REBUILD_REFUSED with nothing done; OPERATIONS_REBUILD_FAILED; ArchiveError
 */
export async function rebuild(mesh: Mesh, options: RebuildOptions): Promise<Rebuilt> {
  const { archive: clickhouse, replicas, dryRun = false, onProgress = () => undefined } = options
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const plan = await planRebuild(mesh, jsm, clickhouse)
  const task: Task = { mesh, jsm, archive: replayReader(clickhouse), plan, replicas }
  const { floors, partitions } = plan.kept
  const waiting = waitingIn(mesh, plan.kept)
  let missing = 0
  if (!dryRun) {
    for (const planned of plan.streams) {
      await orLater(planned.name, () =>
        fillStream(task, planned, (events) => onProgress({ stream: planned.name, events, isDone: false })),
      )
      onProgress({ stream: planned.name, events: planned.events, isDone: true })
    }
    for (const { name } of plan.streams) await orLater(name, () => makeDurables(task, name))
    await orLater('MESH_CHECKPOINTS', () => writeCheckpoints(task))
    await orLater('MESH_PARTITIONS', () => writePartitions(task))
    for (const { name, kind } of plan.streams)
      if (kind === 'lanes') missing += await orLater(name, () => mendLane(task, name, waiting))
    for (const planned of plan.streams) await orLater(planned.name, () => conclude(task, planned))
  }
  return {
    streams: plan.streams.map(shown),
    durables: floors.length,
    partitions: partitions.filter(({ key }) => !key.endsWith('.begin')).length,
    waiting: waiting.length - missing,
    missing,
    floorsAt: plan.floorsAt,
  }
}

const shown = ({ name, kind, epoch, action, events, first, last }: PlannedStream): PlannedStream => ({
  name,
  kind,
  epoch,
  action,
  events,
  first,
  last,
})

async function fillStream(
  { mesh, jsm, archive, replicas }: Task,
  planned: RebuildPlan['streams'][number],
  onEvents: (events: number) => void,
): Promise<void> {
  if (planned.action === 'make') {
    const { deny_delete: _, deny_purge: __, sealed: ___, ...config } = configOf(planned)
    const first = planned.events > 0 ? planned.first : planned.last + 1
    await jsm.streams.add({
      ...config,
      ...(replicas !== undefined && { num_replicas: replicas }),
      ...(first > 1 && { first_seq: first }),
    })
  }
  if (planned.action !== 'none' && planned.last > 0)
    await bringBack({ nats: mesh.nats, jsm, archive, planned, onEvents })
  else if (isArchived(configOf(planned))) await removeFillers(jsm, planned.name) // A4
}

const configOf = ({ life, epoch }: RebuildPlan['streams'][number]): StreamConfig => {
  const config = life.config as unknown as StreamConfig
  return { ...config, metadata: { ...ownMetadata(config.metadata ?? {}), [EPOCH]: String(epoch) } } // A1
}

/** What keeps the fillers from being removed comes last. */
async function conclude({ jsm }: Task, planned: RebuildPlan['streams'][number]): Promise<void> {
  const { deny_delete, deny_purge } = configOf(planned)
  if (deny_delete || deny_purge)
    await jsm.streams.update(planned.name, {
      deny_delete: deny_delete ?? false,
      deny_purge: deny_purge ?? false,
    })
}

/** Upholds A2. One that stands lower, as in a backup, is made anew: nobody pulls from it now. */
async function makeDurables({ jsm, plan }: Task, stream: string): Promise<void> {
  const life = plan.streams.find(({ name }) => name === stream)!
  const there = new Map((await durablesOf(jsm, stream)).map((one) => [one.config.durable_name, one]))
  const { config } = await jsm.streams.info(stream)
  for (const kept of plan.kept.floors.filter((one) => one.stream === stream && one.epoch === life.epoch)) {
    const known = there.get(kept.durable)
    if (known && known.floor >= kept.floor) continue
    if (known) await jsm.consumers.delete(stream, kept.durable)
    await jsm.consumers.add(stream, behind(kept.floor, kept.config, config))
  }
}

async function writeCheckpoints({ mesh, jsm, plan }: Task): Promise<void> {
  const bucket = mesh.names.bucket('MESH_CHECKPOINTS')
  if (!(await streamOf(jsm, `KV_${bucket}`))) return
  const kv = await new Kvm(jetstream(mesh.nats)).open(bucket)
  const events = new Set(
    plan.streams.filter(({ kind }) => kind === 'events' || kind === 'mesh').map(({ name }) => name),
  )
  for (const { stream, epoch, durable, floor, config } of plan.kept.floors) {
    const metadata = (config as Partial<ConsumerConfig>).metadata
    if (!events.has(stream) || metadata?.['malha.handler'] === undefined) continue
    const before = await kv.get(durable)
    const known = before?.operation === 'PUT' ? before.json<{ epoch: number; floor: number }>() : undefined
    if (known && known.epoch === epoch && known.floor >= floor) continue
    await kv.put(durable, JSON.stringify({ v: 1, stream, epoch, floor, settled: floor }))
  }
}

/** Nobody has a partition, and the last event it saw is known by another time now. */
async function writePartitions({ mesh, jsm, plan }: Task): Promise<void> {
  for (const [bucket, records] of Map.groupBy(plan.kept.partitions, (one) => one.bucket)) {
    if (!(await streamOf(jsm, `KV_${bucket}`))) continue
    const kv = await new Kvm(jetstream(mesh.nats)).open(bucket)
    for (const { key, value } of records) {
      const before = await kv.get(key)
      const kept = JSON.parse(value) as { read: number; fence?: number }
      const known = before?.operation === 'PUT' ? before.json<{ read: number; fence?: number }>() : undefined
      if (known && known.read >= kept.read) continue
      const isRecord = kept.fence !== undefined
      const fence = Math.max(kept.fence ?? 0, known?.fence ?? 0) + 1
      await kv.put(key, isRecord ? JSON.stringify({ ...kept, owner: '', fence, seen: 0, seenAt: '' }) : value)
    }
  }
}

const orLater = <Result>(what: string, work: () => Promise<Result>): Promise<Result> =>
  orGoOnLater('OPERATIONS_REBUILD_FAILED', `${what} could not be rebuilt`, work)

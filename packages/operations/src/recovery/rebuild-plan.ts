import {
  archivedExtent,
  type ClickHouseOptions,
  type KeptMesh,
  type KeptStream,
  readKeptMesh,
  replayReader,
} from '@malha/archive'
import { epochOf, isOfNamespace, type Mesh } from '@malha/mesh'
import { type JetStreamManager, RetentionPolicy, type StreamConfig, type StreamInfo } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { isFiller } from './bring-back.ts'
import { streamOf } from './stream-of.ts'

/** What is to be done with one stream. */
export type PlannedStream = {
  /** As the server names it. */
  readonly name: string
  readonly kind: string
  readonly epoch: number
  /** `make`: there is none of that name; `fill`: it lacks its end; `none`: it has all that the archive has. */
  readonly action: 'make' | 'fill' | 'none'
  /** Events that the archive has and the stream has not, and which of them are the first and the last; 0 for none. */
  readonly events: number
  readonly first: number
  readonly last: number
}

/** A rebuild that may begin. */
export type RebuildPlan = {
  readonly kept: KeptMesh
  /** When the archive wrote down last where handlers stood, RFC 3339; what was done later is done again. */
  readonly floorsAt: string
  readonly streams: readonly (PlannedStream & { readonly life: KeptStream; readonly lastAt: string })[]
}

/** Whether the archive holds what a stream of this configuration held. */
export const isArchived = ({ name, retention, metadata }: StreamConfig): boolean =>
  !/^(KV|OBJ)_/.test(name) &&
  retention === RetentionPolicy.Limits &&
  !['lanes', 'delays', 'advisories'].includes(metadata?.['malha.kind'] ?? '')

/**
 * What a rebuild would do, and whether it may.
 * @throws OperationsError OPERATIONS_REBUILD_REFUSED with every reason
 */
export async function planRebuild(
  { names }: Mesh,
  jsm: JetStreamManager,
  clickhouse: ClickHouseOptions,
): Promise<RebuildPlan> {
  const all = await readKeptMesh(clickhouse)
  const ours = ({ stream }: { stream: string }): boolean => isOfNamespace(names, stream)
  const kept: KeptMesh = {
    streams: all.streams.filter(ours),
    floors: all.floors.filter(ours),
    partitions: all.partitions.filter(({ bucket }) => isOfNamespace(names, bucket)),
  }
  if (kept.streams.length === 0)
    throw new OperationsError(
      'OPERATIONS_REBUILD_REFUSED',
      `the archive has written down no stream of namespace ${JSON.stringify(names.namespace)}: nothing was done. It does so every ten seconds since this release; name the namespace, and the ClickHouse, of the mesh`,
    )
  const faults: string[] = []
  const streams: RebuildPlan['streams'][number][] = []
  for (const life of kept.streams) {
    const info = await streamOf(jsm, life.stream)
    const fault = info && (await faultOf(info, life, { jsm, clickhouse }))
    if (fault !== undefined) faults.push(fault)
    else streams.push(await planned(life, info, clickhouse))
  }
  if (faults.length > 0)
    throw new OperationsError('OPERATIONS_REBUILD_REFUSED', `${faults.join('; ')}; nothing was done`)
  const floorsAt =
    kept.streams
      .map(({ recordedAt }) => recordedAt)
      .toSorted()
      .at(-1) ?? ''
  return { kept, floorsAt, streams }
}

async function planned(
  life: KeptStream,
  info: StreamInfo | undefined,
  clickhouse: ClickHouseOptions,
): Promise<RebuildPlan['streams'][number]> {
  const config = life.config as unknown as StreamConfig
  const { stream: name, epoch } = life
  const after = info?.state.last_seq ?? 0
  // What its stream would have let go of by now stays in the archive.
  const since = !info && config.max_age > 0 ? new Date(Date.now() - config.max_age / 1e6).toISOString() : null
  const none = { count: 0, first: 0, last: 0, lastAt: '' }
  const found = isArchived(config) ? await archivedExtent(clickhouse, { stream: name, epoch, after, since }) : none
  // The number of the last event counts on, whether or not the event is brought back.
  const all = !info && isArchived(config) && found.count === 0 && since !== null
  const { last } = all ? await archivedExtent(clickhouse, { stream: name, epoch, after: 0, since: null }) : found
  // Behind the last event there may have been marks, which are none: their numbers are not given again.
  const lacksEnd = found.count > 0 || (isArchived(config) && after < life.lastSeq)
  const action = info ? (lacksEnd ? 'fill' : 'none') : 'make'
  const end = isArchived(config) && action !== 'none' ? Math.max(last, life.lastSeq) : last
  const kind = config.metadata?.['malha.kind'] ?? 'bucket'
  return { name, kind, epoch, action, events: found.count, first: found.first, last: end, lastAt: found.lastAt, life }
}

/** Why a stream that is there is not one to go on with. */
async function faultOf(
  info: StreamInfo,
  life: KeptStream,
  { jsm, clickhouse }: { jsm: JetStreamManager; clickhouse: ClickHouseOptions },
): Promise<string | undefined> {
  const { config, state } = info
  if (!isArchived(config)) return undefined
  const remove = `stop what writes into it, and remove it ("nats stream rm ${config.name}")`
  if (epochOf(info) !== life.epoch)
    return state.last_seq === 0
      ? `stream ${config.name} was made anew, and is empty: ${remove}`
      : `stream ${config.name} was made anew and has ${state.last_seq} events of its own`
  if (state.messages === 0 || state.last_seq === 0) return undefined
  const [last] = await lastRow(clickhouse, life, state.last_seq)
  if (!last) return undefined
  const message = await jsm.streams.getMessage(config.name, { seq: state.last_seq })
  if (message && isFiller(config, message.subject)) return undefined
  const id = message?.header.get('ce-id') ?? ''
  return !message || id === last.id
    ? undefined
    : `stream ${config.name} has another event than the archive at sequence ${state.last_seq}: it was written into since it lost its end`
}

async function lastRow(
  clickhouse: ClickHouseOptions,
  { stream, epoch }: KeptStream,
  seq: number,
): Promise<{ id: string }[]> {
  const query = { stream, epoch, after: seq - 1, upTo: seq, typePattern: '(?s).*', key: null, since: null, until: null }
  const [event] = await replayReader(clickhouse).read({ ...query, limit: 1 })
  return event ? [{ id: event.headers.find(([name]) => name.toLowerCase() === 'ce-id')?.[1] ?? '' }] : []
}

import type { Mesh } from '@malha/mesh'
import { type ConsumerInfo, DiscardPolicy, jetstreamManager } from '@nats-io/jetstream'
import { nextOf } from '../read/direct.ts'
import { type MeshStream, meshStreams } from './mesh-streams.ts'

/** The oldest event of a stream that some handler is not past, and when the stream removes it. */
export type Headroom = {
  readonly durable: string
  readonly seq: number
  /** RFC 3339. */
  readonly storedAt: string
  readonly leavesAt: string
  readonly leftMs: number
}

/** `size`: it refuses new messages soon. `age`: events leave it soon that a handler is not done with. `replicas`: one is away or behind. */
export type StreamAlarm = 'size' | 'age' | 'replicas'

/** How a stream of the mesh stands. */
export type StreamView = {
  /** With the namespace. */
  readonly name: string
  readonly kind: string
  readonly messages: number
  readonly bytes: number
  /** Undefined without a limit. */
  readonly maxBytes: number | undefined
  /** `bytes` of `maxBytes`, 0 to 1. */
  readonly used: number | undefined
  /** `new`: a full stream refuses what is published; `old`: it drops its oldest. */
  readonly discard: 'new' | 'old'
  readonly firstSeq: number
  readonly lastSeq: number
  /** When the oldest and the newest message were stored, RFC 3339; undefined while it is empty. */
  readonly oldestAt: string | undefined
  readonly newestAt: string | undefined
  /** Undefined without a limit. */
  readonly maxAgeMs: number | undefined
  readonly replicas: number
  /** Undefined while there is none, and on a server that stands alone. */
  readonly leader: string | undefined
  /** Replicas that are away or behind. */
  readonly laggards: readonly string[]
  readonly consumers: number
  /** Undefined where every handler with a durable is past all, or the stream has no age limit. */
  readonly headroom: Headroom | undefined
  readonly alarms: readonly StreamAlarm[]
}

/** A limit counts as near from here on. */
const NEAR = 0.7

/**
 * Every stream of the mesh. Needs `$JS.API.STREAM.LIST`, and of streams with events `$JS.API.CONSUMER.LIST` and
 * `$JS.API.DIRECT.GET`.
 * @throws OperationsError OPERATIONS_UNREADABLE
 */
export async function streamViews(mesh: Mesh): Promise<StreamView[]> {
  const streams = await meshStreams(mesh)
  return await Promise.all(streams.map(async (stream) => viewOf(stream, await headroomOf(mesh, stream, Date.now()))))
}

/** Pure. */
export function viewOf({ kind, name, info }: MeshStream, headroom: Headroom | undefined): StreamView {
  const { config, state, cluster } = info
  const isEmpty = state.messages === 0
  const maxBytes = config.max_bytes > 0 ? config.max_bytes : undefined
  const maxAgeMs = config.max_age > 0 ? config.max_age / 1e6 : undefined
  const used = maxBytes && state.bytes / maxBytes
  const discard = config.discard === DiscardPolicy.New ? 'new' : 'old'
  const laggards = (cluster?.replicas ?? []).filter((each) => each.offline || !each.current).map((each) => each.name)
  const isClustered = cluster?.replicas !== undefined && cluster.replicas.length > 0
  const alarms: StreamAlarm[] = []
  // One that drops its oldest is meant to be full.
  if (used !== undefined && used > NEAR && discard === 'new') alarms.push('size')
  if (headroom && maxAgeMs && headroom.leftMs < maxAgeMs * (1 - NEAR)) alarms.push('age')
  if (laggards.length > 0 || (isClustered && !cluster.leader)) alarms.push('replicas')
  return {
    name,
    kind,
    messages: state.messages,
    bytes: state.bytes,
    maxBytes,
    used,
    discard,
    firstSeq: state.first_seq,
    lastSeq: state.last_seq,
    oldestAt: isEmpty ? undefined : state.first_ts,
    newestAt: isEmpty ? undefined : state.last_ts,
    maxAgeMs,
    replicas: config.num_replicas,
    leader: cluster?.leader,
    laggards,
    consumers: state.consumer_count,
    headroom,
    alarms,
  }
}

/** What leaves the stream before a handler is done with it is found by the mesh and written down; here it is seen coming. */
async function headroomOf(mesh: Mesh, { kind, name, info }: MeshStream, nowMs: number): Promise<Headroom | undefined> {
  if (kind !== 'events' || !(info.config.max_age > 0) || info.state.messages === 0) return undefined
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  let last: ConsumerInfo | undefined
  for await (const each of jsm.consumers.list(name)) {
    const isBehind = each.config.metadata?.['malha.handler'] && each.num_pending + each.num_ack_pending > 0
    if (isBehind && !(last && last.ack_floor.stream_seq <= each.ack_floor.stream_seq)) last = each
  }
  if (!last) return undefined
  const { filter_subject: one, filter_subjects: [filter = one] = [] } = last.config
  const [oldest] = await nextOf(mesh, name, {
    seq: last.ack_floor.stream_seq + 1,
    most: 1,
    ...(filter !== undefined && { subject: filter }),
  })
  if (!oldest) return undefined
  const leavesMs = Date.parse(oldest.timestamp) + info.config.max_age / 1e6
  return {
    durable: last.name,
    seq: oldest.seq,
    storedAt: oldest.timestamp,
    leavesAt: new Date(leavesMs).toISOString(),
    leftMs: leavesMs - nowMs,
  }
}

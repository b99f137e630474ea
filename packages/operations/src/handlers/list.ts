import {
  askStatus,
  type HandlerStatus,
  type InstanceStatus,
  type Mesh,
  type Pause,
  pauseAt,
  type RateLimit,
  readControls,
  type StoredControl,
} from '@malha/mesh'
import { type ConsumerInfo, jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { streamNow } from '../read/read-on.ts'
import { millis } from '@nats-io/nats-core'
import { serverTime } from './find-handler.ts'
import { type FoundHandler, handlerOf, isOf, readLane } from './found-handler.ts'
import { type HandlerLag, lagOf } from './lag.ts'

export type { HandlerLag } from './lag.ts'

/** One process that runs a handler: what it says, and who it is. */
export type HandlerInstance = Pick<InstanceStatus, 'instance' | 'id' | 'version' | 'at' | 'startedAt' | 'denied'> &
  HandlerStatus

/** A handler's durable on a stream, and what the server allows it. */
export type HandlerDurable = {
  readonly stream: string
  readonly durable: string
  /** For so long a message may go without a sign of life, ms. */
  readonly ackWaitMs: number
  /** Delivered and not acknowledged, at most; null: no limit. */
  readonly maxAckPending: number | null
  /** Deliveries of one message, at most; null: no limit. */
  readonly maxDeliver: number | null
  readonly ackPending: number
  /** Null where one server stands alone, or there is none at the moment. */
  readonly leader: string | null
}

/** A handler as it stands. Times are RFC 3339, by the server's clock. */
export type ListedHandler = {
  readonly service: string
  readonly handler: string
  /** Type or topic pattern. */
  readonly source: string
  /** The streams its events are in, as the server names them; several where it read another one before. */
  readonly streams: readonly string[]
  /** Its durables on them. None of an ordered handler: how far that is stands in records. */
  readonly durables: readonly HandlerDurable[]
  /** It keeps the order of its keys. */
  readonly isOrdered: boolean
  /** It takes no events, only what a replay sends to it, and nothing of what it publishes is stored. */
  readonly isShadow: boolean
  /** What it has before it on its streams. Of an ordered handler: as its instances say; null when none does. */
  readonly lag: HandlerLag | null
  /** The same on its lane: retries that are due, and messages of runs. */
  readonly lane: {
    readonly stream: string
    readonly durable: string
    readonly pending: number
    readonly ackPending: number
  }
  readonly paused: Pause | null
  /** What is said of its limits; what is absent is as its service declares it. */
  readonly said: { readonly concurrency?: number; readonly rateLimit?: RateLimit | null }
  /** Why what is said of it cannot be read; null: it can. */
  readonly fault: string | null
  /** Of what is said of it; 0: nothing was ever said. For `revision` of a change. */
  readonly revision: number
  /** The worst of its instances; null where none runs. */
  readonly breaker: HandlerStatus['breaker'] | null
  /** Of all its instances that answered. */
  readonly running: number
  /** Of an ordered handler: keys that a dead letter holds, in all instances that answered; null of any other. */
  readonly heldKeys: number | null
  readonly instances: readonly HandlerInstance[]
}

/** The handlers, and all that answered when they were asked how they are. */
export type HandlersNow = { readonly handlers: ListedHandler[]; readonly instances: readonly InstanceStatus[] }

/** @throws what the server said, or did not say */
export async function listHandlers(mesh: Mesh): Promise<ListedHandler[]> {
  return (await lookAtHandlers(mesh, [])).handlers
}

/** Asks the processes of `others`, too: services that may have no handler. @throws as `listHandlers` */
export async function lookAtHandlers(mesh: Mesh, others: readonly string[]): Promise<HandlersNow> {
  const { nats, names } = mesh
  const jsm = await jetstreamManager(nats, { checkAPI: false })
  const found: FoundHandler[] = []
  for await (const stream of jsm.streams.list(names.subject('lane.>')))
    if (stream.config.metadata?.['malha.kind'] === 'lanes')
      for await (const lane of jsm.consumers.list(stream.config.name)) {
        const one = readLane(lane)
        if (one) found.push(one)
      }
  const services = [...new Set([...found.map(({ service }) => service), ...others])]
  const [instances, controls, streams] = await Promise.all([
    askStatus({ nats, names }, services),
    readControls({ nc: nats, names }),
    streamsOf(mesh, new Set(found.flatMap((one) => one.streams))),
  ])
  const listed = await Promise.all(found.map((one) => listedHandler(mesh, one, { instances, controls, streams })))
  const handlers = listed.sort((a, b) => (`${a.service} ${a.handler}` < `${b.service} ${b.handler}` ? -1 : 1))
  return { handlers, instances }
}

/** A stream and the durables of handlers on it. */
export type StreamOfHandlers = { info: StreamInfo; durables: readonly ConsumerInfo[] }

/** Those that are still there. */
async function streamsOf(mesh: Mesh, wanted: ReadonlySet<string>): Promise<Map<string, StreamOfHandlers>> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const found = new Map<string, StreamOfHandlers>()
  await Promise.all(
    [...wanted].map(async (name) => {
      const now = await streamNow(mesh, name)
      if (!now) return
      const durables: ConsumerInfo[] = []
      for await (const info of jsm.consumers.list(name)) if (handlerOf(info)) durables.push(info)
      found.set(name, { info: now.info, durables })
    }),
  )
  return found
}

type Known = {
  instances: readonly InstanceStatus[]
  controls: readonly StoredControl[]
  streams: ReadonlyMap<string, StreamOfHandlers>
}

async function listedHandler(mesh: Mesh, found: FoundHandler, known: Known): Promise<ListedHandler> {
  const { service, handler, type, isOrdered, lane } = found
  const streams = found.streams.filter((name) => known.streams.has(name))
  const places = streams.map((name) => known.streams.get(name)!)
  const durables = places.flatMap(({ info, durables: all }) =>
    all.filter((durable) => isOf(durable, found)).map((durable) => ({ stream: info, durable })),
  )
  const instances = known.instances.flatMap((instance) => ofInstance(instance, handler, service))
  const now = serverTime(lane)
  const said = known.controls.find((one) => one.service === service && one.handler === handler)
  const { concurrency, rateLimit } = said?.control ?? {}
  return {
    service,
    handler,
    source: type,
    streams,
    durables: durables.map(({ durable }) => durableOf(durable)),
    isOrdered,
    isShadow: lane.config.metadata?.['malha.shadow'] === 'true',
    lag: isOrdered ? seenLag(instances) : await lagOf(mesh, durables, now),
    lane: {
      stream: lane.stream_name,
      durable: lane.name,
      pending: lane.num_pending,
      ackPending: lane.num_ack_pending,
    },
    paused: pauseAt(said?.control, now.getTime()) ?? null,
    said: { ...(concurrency === undefined ? {} : { concurrency }), ...(rateLimit === undefined ? {} : { rateLimit }) },
    fault: said?.fault ?? null,
    revision: said?.revision ?? 0,
    breaker: worst(instances),
    running: instances.reduce((sum, { running }) => sum + running, 0),
    heldKeys: isOrdered ? instances.reduce((sum, one) => sum + (one.heldKeys ?? 0), 0) : null,
    instances,
  }
}

function durableOf({
  stream_name: stream,
  name,
  config,
  num_ack_pending: ackPending,
  cluster,
}: ConsumerInfo): HandlerDurable {
  const limit = (value: number | undefined): number | null => (value !== undefined && value > 0 ? value : null)
  return {
    stream,
    durable: name,
    ackWaitMs: millis(config.ack_wait ?? 0),
    maxAckPending: limit(config.max_ack_pending),
    maxDeliver: limit(config.max_deliver),
    ackPending,
    leader: cluster?.leader ?? null,
  }
}

function ofInstance({ handlers, ...instance }: InstanceStatus, handler: string, service: string): HandlerInstance[] {
  const status = instance.service === service ? handlers.find((one) => one.handler === handler) : undefined
  if (!status) return []
  const { instance: name, id, version, at, startedAt, denied } = instance
  return [{ instance: name, id, version, at, startedAt, denied, ...status }]
}

const BADNESS = { closed: 0, 'half-open': 1, open: 2 } as const

const worst = (instances: readonly HandlerInstance[]): HandlerStatus['breaker'] | null =>
  instances.map(({ breaker }) => breaker).toSorted((a, b) => BADNESS[b.state] - BADNESS[a.state])[0] ?? null

/** As its instances saw it last, each of its own partitions. */
function seenLag(instances: readonly HandlerInstance[]): HandlerLag | null {
  const seen = instances.flatMap((one) => (one.seen ? [one.seen] : []))
  if (seen.length === 0) return null
  const sum = (of: (one: (typeof seen)[number]) => number): number => seen.reduce((total, one) => total + of(one), 0)
  const oldestMs = Math.max(...seen.map((one) => one.oldestMs))
  const expiresInMs = Math.min(...seen.map((one) => one.expiresInMs ?? Infinity))
  const [pending, ackPending] = [sum((one) => one.pending), sum((one) => one.ackPending)]
  const isBehind = pending + ackPending > 0
  return {
    messages: pending + ackPending,
    pending,
    ackPending,
    redelivered: 0,
    oldestMs: isBehind ? oldestMs : 0,
    headroomMs: isBehind && Number.isFinite(expiresInMs) ? expiresInMs : null,
  }
}

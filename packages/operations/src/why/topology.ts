import { covers, type Mesh } from '@malha/mesh'
import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream'
import type { FoundEvent } from '../journey/found-event.ts'
import { type MeshStream, meshStreams } from '../streams/mesh-streams.ts'

/** A handler as its durables say of it. */
export type PlacedHandler = {
  readonly service: string
  readonly handler: string
  /** The type it takes, or the pattern of a topic. */
  readonly type: string
  /** Event streams it ever read, as the server names them. */
  readonly streams: readonly string[]
  /** It keeps the order of its keys, and has no durable on its event stream. */
  readonly isOrdered: boolean
  readonly lane: ConsumerInfo
  /** Its durables on event streams. */
  readonly durables: readonly ConsumerInfo[]
}

/** What there is: streams, and handlers with where they stand. */
export type Topology = { readonly streams: readonly MeshStream[]; readonly handlers: readonly PlacedHandler[] }

/** As of now. Needs `$JS.API.STREAM.LIST` and `$JS.API.CONSUMER.LIST` of streams with events and lanes. */
export async function readTopology(mesh: Mesh): Promise<Topology> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const streams = await meshStreams(mesh)
  const consumersOf = async (kinds: readonly string[]): Promise<ConsumerInfo[]> => {
    const some = streams.filter(({ kind }) => kinds.includes(kind))
    const lists = await Promise.all(some.map(async ({ name }) => await Array.fromAsync(jsm.consumers.list(name))))
    return lists.flat().filter(({ config }) => config.metadata?.['malha.handler'] !== undefined)
  }
  const [lanes, durables] = await Promise.all([consumersOf(['lanes']), consumersOf(['events', 'mesh'])])
  const isSame = (a: ConsumerInfo, b: ConsumerInfo): boolean =>
    ['malha.service', 'malha.handler'].every((name) => a.config.metadata?.[name] === b.config.metadata?.[name])
  const handlers = lanes.map((lane): PlacedHandler => {
    const said = lane.config.metadata ?? {}
    return {
      service: said['malha.service'] ?? '',
      handler: said['malha.handler'] ?? '',
      type: said['malha.type'] ?? '',
      streams: (said['malha.streams'] ?? '').split(' ').filter(Boolean),
      isOrdered: said['malha.order'] === 'key',
      lane,
      durables: durables.filter((each) => isSame(each, lane)),
    }
  })
  return { streams, handlers: handlers.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)) }
}

export const nameOf = ({ service, handler }: Pick<PlacedHandler, 'service' | 'handler'>): string =>
  `${service}/${handler}`

/** Whether a handler is called for an event. A filter alone cannot tell one type from a longer one. */
export function isFor({ type, streams }: PlacedHandler, event: FoundEvent): boolean {
  return streams.includes(event.stream) && (event.type === undefined || type === '*' || covers(type, event.type))
}

/** The durable that brings an event to its handler. */
export function durableFor(mesh: Mesh, { durables }: PlacedHandler, event: FoundEvent): ConsumerInfo | undefined {
  const subject = mesh.names.subject(event.subject)
  return durables.find(({ stream_name: stream, config }) => {
    const { filter_subject: one, filter_subjects: many = one === undefined ? [] : [one] } = config
    return stream === event.stream && (many.length === 0 || many.some((filter) => covers(filter, subject)))
  })
}

import { covers, type Mesh } from '@malha/mesh'
import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream'
import { type FoundHandler, isOf, readLane } from '../handlers/found-handler.ts'
import type { FoundEvent } from '../journey/found-event.ts'
import { type MeshStream, meshStreams } from '../streams/mesh-streams.ts'

/** A handler with its durables on event streams. */
export type PlacedHandler = FoundHandler & { readonly durables: readonly ConsumerInfo[] }

/** What there is: streams, and handlers with where they stand. */
export type Topology = { readonly streams: readonly MeshStream[]; readonly handlers: readonly PlacedHandler[] }

/** As of now. Needs `$JS.API.STREAM.LIST` and `$JS.API.CONSUMER.LIST` of streams with events and lanes. */
export async function readTopology(mesh: Mesh): Promise<Topology> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const streams = await meshStreams(mesh)
  const consumersOf = async (kinds: readonly string[]): Promise<ConsumerInfo[]> => {
    const some = streams.filter(({ kind }) => kinds.includes(kind))
    const lists = await Promise.all(some.map(async ({ name }) => await Array.fromAsync(jsm.consumers.list(name))))
    return lists.flat()
  }
  const [lanes, durables] = await Promise.all([consumersOf(['lanes']), consumersOf(['events', 'mesh'])])
  const handlers = lanes.flatMap((lane): PlacedHandler[] => {
    const found = readLane(lane)
    return found ? [{ ...found, durables: durables.filter((durable) => isOf(durable, found)) }] : []
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

import type { Mesh } from '@malha/mesh'
import { type ConsumerInfo, JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'

/** What its lane tells of a handler: what it takes, from where, and how. */
export type FoundHandler = {
  readonly service: string
  readonly handler: string
  /** A type, or the pattern of a topic. */
  readonly type: string
  /** Streams it ever read, as the server names them. */
  readonly streams: readonly string[]
  readonly isShadow: boolean
}

const MISSING: ReadonlySet<number> = new Set([JetStreamApiCodes.ConsumerNotFound, JetStreamApiCodes.StreamNotFound])

/** The handler, or why nothing can be sent to it. */
export async function findHandler(
  mesh: Mesh,
  { service, handler }: { service: string; handler: string },
): Promise<FoundHandler | string> {
  const info = await laneOf(mesh, service, handler)
  if (!info)
    return `handler ${handler} of ${service} has no lane on this server; start the service once, or restore its name`
  const { metadata = {} } = info.config
  if (metadata['malha.order'] === 'key')
    return `handler ${handler} of ${service} keeps the order of its keys; nothing can be sent to it again by this release`
  return {
    service,
    handler,
    type: metadata['malha.type'] ?? '',
    streams: (metadata['malha.streams'] ?? '').split(' ').filter((name) => name !== ''),
    isShadow: metadata['malha.shadow'] === 'true',
  }
}

async function laneOf(mesh: Mesh, service: string, handler: string): Promise<ConsumerInfo | undefined> {
  // Names that could be no handler's are no subjects either.
  if (![service, handler].every((name) => /^[A-Za-z][A-Za-z0-9-]{0,47}$/.test(name))) return undefined
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  try {
    return await jsm.consumers.info(mesh.names.lanes(service), mesh.names.durable(service, handler))
  } catch (error) {
    if (error instanceof JetStreamApiError && MISSING.has(error.code)) return undefined
    throw error
  }
}

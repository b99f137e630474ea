import { type ConsumerInfo, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type Logger, silentLogger } from '../observe/logger.ts'
import { apiCode, apiCodes, deniedSubject } from './api-errors.ts'
import type { Names } from './names.ts'

export type OrphanOptions = {
  service: string
  /** Each handler the service defines, with the name of its event stream (namespace included). */
  handlers: Readonly<Record<string, string>>
  /** Handlers that are gone for good: what waits for them is given up. */
  retired?: readonly string[]
  /** @default silent */
  log?: Logger
}

/**
 * Durables of a service whose handler is not defined any more, or now reads another stream: their events would wait
 * for ever unseen. To be called before the service's consumers are ensured, which would make its lane durables forget
 * the streams they had. Looks at the service's streams and at its lanes, whose durables remember streams it has left.
 * Needs `$JS.API.CONSUMER.LIST.<stream>` for each; a stream whose consumers this user may not list is left out.
 * @returns a fault each, to be reported together with others as MESH_TOPOLOGY
 */
export async function orphanFaults(nc: NatsConnection, names: Names, options: OrphanOptions): Promise<string[]> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const lanes = names.lanes(options.service)
  const log = options.log ?? silentLogger
  const orphans = new Map<string, Orphan>()
  for (const stream of new Set([...Object.values(options.handlers), lanes])) {
    for (const info of await listOf(jsm, stream, log)) {
      const orphan = await orphanOf(jsm, info, { ...options, lanes })
      if (orphan !== undefined) orphans.set(`${orphan.stream} ${orphan.handler}`, orphan)
    }
  }
  const retired = new Set(options.retired)
  for (const orphan of orphans.values())
    if (retired.has(orphan.handler))
      log.warn(orphan, 'a retired handler still has a durable; what waits there is given up')
  return [...orphans.values()]
    .filter(({ handler }) => !retired.has(handler))
    .map((one) => sentence(names, options, one))
}

type Orphan = { handler: string; stream: string; waiting: number }

async function orphanOf(
  jsm: JetStreamManager,
  info: ConsumerInfo,
  { service, handlers, lanes }: OrphanOptions & { lanes: string },
): Promise<Orphan | undefined> {
  const { 'malha.service': owner, 'malha.handler': handler, 'malha.stream': from } = info.config.metadata ?? {}
  if (owner !== service || handler === undefined) return undefined
  const stream = info.stream_name === lanes ? from : info.stream_name
  if (stream === undefined || handlers[handler] === stream) return undefined
  const both =
    info.stream_name === lanes
      ? [info, await infoOf(jsm, stream, info.name)]
      : [info, await infoOf(jsm, lanes, info.name)]
  const waiting = both.reduce((sum, one) => sum + (one === undefined ? 0 : one.num_pending + one.num_ack_pending), 0)
  return { handler, stream, waiting }
}

function sentence(names: Names, { service, handlers }: OrphanOptions, { handler, stream, waiting }: Orphan): string {
  const durable = names.durable(service, handler)
  const moved = handlers[handler]
  const gone =
    moved === undefined ? `service ${service} defines no handler ${handler}` : `handler ${handler} now reads ${moved}`
  return (
    `durable ${durable} on stream ${stream} has ${waiting} messages waiting, but ${gone}; ` +
    `name the handler ${handler} again${moved === undefined ? '' : ' on its old stream'}, or list it in retired: ['${handler}'] to give them up`
  )
}

async function listOf(jsm: JetStreamManager, stream: string, log: Logger): Promise<ConsumerInfo[]> {
  const found: ConsumerInfo[] = []
  try {
    for await (const info of jsm.consumers.list(stream)) found.push(info)
  } catch (error) {
    const denied = deniedSubject(error)
    if (denied !== undefined)
      log.debug({ stream, denied }, 'this user may not list consumers; orphans are not looked for')
    else if (apiCode(error) !== apiCodes.streamMissing) throw error
  }
  return found
}

async function infoOf(jsm: JetStreamManager, stream: string, durable: string): Promise<ConsumerInfo | undefined> {
  return jsm.consumers.info(stream, durable).catch((error: unknown) => {
    const missing: number[] = [apiCodes.consumerMissing, apiCodes.streamMissing]
    if (missing.includes(apiCode(error)) || deniedSubject(error) !== undefined) return undefined
    throw error
  })
}

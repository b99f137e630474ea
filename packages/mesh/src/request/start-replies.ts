import type { NatsConnection } from '@nats-io/transport-node'
import { faultsError } from '../errors.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { newId } from '../message/id.ts'
import { type Logger, withFields } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { ServiceDef } from '../service/define.ts'
import type { Names } from '../topology/names.ts'
import { discoverable } from './discovery.ts'
import { Responder } from './responder.ts'

export type RepliesDeps = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  options: { readonly name: string; readonly namespace: string }
  log: Logger
  metrics: MeshMetrics
  /** From the end of a function's time until it counts as lost, ms. @default 10 000 */
  leakAfterMs?: number
}

/** The replies of a service that runs. */
export type RunningReplies = {
  faults(): string[]
  /** Takes nothing new, answers what was taken, and comes back after `drainMs` and a little at the latest. */
  stop(drainMs: number): Promise<void>
}

/**
 * Starts to answer. `onFatal` is told when the process can do no more for a reply (MESH_HANDLER_LEAKED).
 * @throws MeshError MESH_TOPOLOGY when this user may not subscribe to what is asked
 */
export async function startReplies(
  deps: RepliesDeps,
  service: ServiceDef,
  onFatal: (error: Error) => void,
): Promise<RunningReplies> {
  const { nc, names, options, log } = deps
  const replies = Object.entries(service.replies)
  if (replies.length === 0) return { faults: () => [], stop: () => Promise.resolve() }
  const instance = newId()
  const responders = replies.map(
    ([name, def]) =>
      new Responder({
        ...deps,
        log: withFields(log, { service: service.name, reply: name }),
        service: service.name,
        instance,
        name,
        def,
        onFatal,
      }),
  )
  for (const responder of responders) responder.start()
  const tools = discoverable({
    nc,
    log,
    name: names.micro(service.name),
    instance,
    version: service.version,
    metadata: { 'malha.namespace': options.namespace, 'malha.connection': options.name },
    responders,
  })
  const stop = async (drainMs: number): Promise<void> => {
    for (const subscription of tools) subscription.unsubscribe()
    await Promise.all(responders.map((responder) => responder.stop(drainMs)))
  }
  try {
    await nc.flush()
    checkAllowed(service.name, responders)
  } catch (error) {
    await stop(0)
    throw error
  }
  for (const { name, subject, def } of responders)
    log.info({ reply: name, subject, concurrency: def.concurrency }, `${name} answers ${def.contract.type}`)
  return { faults: () => responders.flatMap(({ fault }) => fault ?? []), stop }
}

/** @throws MeshError MESH_TOPOLOGY naming each subject this user may not subscribe to */
function checkAllowed(service: string, responders: readonly Responder[]): void {
  const faults = responders.flatMap(({ fault }) => fault ?? [])
  if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service} cannot start`, faults)
}

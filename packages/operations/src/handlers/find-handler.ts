import { isHandlerName, isServiceName, type Mesh } from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { type FoundHandler, readLane } from './found-handler.ts'

const MISSING: ReadonlySet<number> = new Set([JetStreamApiCodes.ConsumerNotFound, JetStreamApiCodes.StreamNotFound])

/** Which handler: the name of its service, and its own. */
export type HandlerName = { readonly service: string; readonly handler: string }

/** By its durable on its service's lanes, which every handler has once its service has started; undefined: there is none. */
export async function findHandler(
  { nats, names }: Pick<Mesh, 'nats' | 'names'>,
  { service, handler }: HandlerName,
): Promise<FoundHandler | undefined> {
  // A name that is none would be another subject of the server's interface.
  if (!isServiceName(service) || !isHandlerName(handler)) return undefined
  const jsm = await jetstreamManager(nats, { checkAPI: false })
  try {
    return readLane(await jsm.consumers.info(names.lanes(service), names.durable(service, handler)))
  } catch (error) {
    if (error instanceof JetStreamApiError && MISSING.has(error.code)) return undefined
    throw error
  }
}

/**
 * The same, and the time as the server has it.
 * @throws OperationsError OPERATIONS_NO_HANDLER
 */
export async function needHandler(
  mesh: Pick<Mesh, 'nats' | 'names'>,
  name: HandlerName,
): Promise<FoundHandler & { readonly now: Date }> {
  const found = await findHandler(mesh, name)
  if (found) return { ...found, now: serverTime(found.lane) }
  const [service, handler] = [name.service, name.handler].map((each) => JSON.stringify(each.slice(0, 64)))
  throw new OperationsError(
    'OPERATIONS_NO_HANDLER',
    `there is no handler ${handler} of a service ${service} on this server`,
  )
}

/** When the server made this answer; of one that does not say so, the clock here. */
export function serverTime({ ts }: { ts?: unknown }): Date {
  const time = new Date(typeof ts === 'string' ? ts : Number.NaN)
  return Number.isNaN(time.getTime()) ? new Date() : time
}

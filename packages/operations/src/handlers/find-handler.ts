import type { Mesh } from '@malha/mesh'
import { type ConsumerInfo, JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'

const MISSING: ReadonlySet<number> = new Set([JetStreamApiCodes.ConsumerNotFound, JetStreamApiCodes.StreamNotFound])

/**
 * A handler by its durable on its service's lanes, which every handler has once its service has started, and the time as the
 * server has it.
 * @throws OperationsError OPERATIONS_NO_HANDLER
 */
export async function findHandler(
  { nats, names }: Pick<Mesh, 'nats' | 'names'>,
  service: string,
  handler: string,
): Promise<{ lane: ConsumerInfo; now: Date }> {
  // A name that is none would be another subject of the server's interface.
  if (/^[a-z][a-z0-9-]{0,47}$/.test(service) && /^[A-Za-z][A-Za-z0-9-]{0,47}$/.test(handler)) {
    const jsm = await jetstreamManager(nats, { checkAPI: false })
    try {
      const lane = await jsm.consumers.info(names.lanes(service), names.durable(service, handler))
      return { lane, now: serverTime(lane) }
    } catch (error) {
      if (!(error instanceof JetStreamApiError && MISSING.has(error.code))) throw error
    }
  }
  throw new OperationsError(
    'OPERATIONS_NO_HANDLER',
    `there is no handler ${JSON.stringify(handler.slice(0, 64))} of a service ${JSON.stringify(service.slice(0, 64))} on this server`,
  )
}

/** When the server made this answer; of one that does not say so, the clock here. */
export function serverTime({ ts }: { ts?: unknown }): Date {
  const time = new Date(typeof ts === 'string' ? ts : Number.NaN)
  return Number.isNaN(time.getTime()) ? new Date() : time
}

import { MeshError } from '@malha/mesh'
import { JetStreamApiError } from '@nats-io/jetstream'
import {
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from '@nats-io/transport-node'
import { Problem, unavailable } from '../http/problem.ts'

/** How long a request may wait for the broker, ms: an answer leaves within a second. */
export const BROKER_MS = 800

/**
 * Gives up on the broker in time to say so.
 * @throws Problem unavailable when the broker is away, slow, or cannot store
 */
export async function inTime<T>(what: string, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(unavailable(`${what}: the broker did not answer in time`)), BROKER_MS)
  try {
    return await Promise.race([work(), late.promise])
  } catch (error) {
    throw isAway(error) ? unavailable(`${what}: the broker is away or cannot store`, error) : error
  } finally {
    clearTimeout(timer)
  }
}

const CONNECTION_ERRORS = [
  TimeoutError,
  NoRespondersError,
  RequestError,
  ConnectionError,
  ClosedConnectionError,
  DrainingConnectionError,
]

/** Whether an error, or what it came of, passes by itself. */
export function isPassing(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) if (isAway(one)) return true
  return false
}

/** What passes by itself, as opposed to what is wrong with the request or with us. */
function isAway(error: unknown): boolean {
  if (error instanceof Problem) return false
  if (error instanceof MeshError) return error.disposition === 'retry'
  if (error instanceof JetStreamApiError) return error.status === 503
  return CONNECTION_ERRORS.some((type) => error instanceof type)
}

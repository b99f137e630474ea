import { setTimeout as sleep } from 'node:timers/promises'
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
/** How long one may that reads, ms: longer than a leader takes to hand over, and a connection to move to another server. */
export const READ_MS = 2000

/**
 * Gives up in time to say so.
 * @throws Problem unavailable when the broker is away, slow, or cannot store
 */
export async function inTime<T>(what: string, work: () => Promise<T>, ms: number = BROKER_MS): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(unavailable(`${what}: the broker did not answer in time`)), ms)
  try {
    return await Promise.race([work(), late.promise])
  } catch (error) {
    if (error instanceof Problem) throw error
    throw isPassing(error) ? unavailable(`${what}: the broker is away or cannot store`, error) : error
  } finally {
    clearTimeout(timer)
  }
}

/** An answer takes a few ms; one that is not there after this is asked for again, and after twice as long once more. */
const PATIENCE_MS = 200
const AGAIN_MS = 50

/**
 * The same for what may be asked any number of times: a leader that hands over, or a connection that moves to another server,
 * is away for a moment, and an answer may be lost by that.
 */
export function readInTime<T>(what: string, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + READ_MS - PATIENCE_MS
  const read = async (patienceMs: number): Promise<T> => {
    const asked = work()
    const retried = async (error: unknown): Promise<T> => {
      if (error instanceof Problem || !isPassing(error) || performance.now() > until) throw error
      await sleep(AGAIN_MS)
      return await read(patienceMs)
    }
    const mended = asked.catch(retried)
    if (performance.now() > until) return await mended
    const isLate = Symbol()
    const over = new AbortController()
    const late = sleep(patienceMs, isLate, { signal: over.signal }).catch(() => isLate)
    const first = await Promise.race([mended, late]).finally(() => over.abort())
    return first === isLate ? await Promise.race([mended, read(2 * patienceMs)]) : (first as T)
  }
  return inTime(what, () => read(PATIENCE_MS), READ_MS)
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

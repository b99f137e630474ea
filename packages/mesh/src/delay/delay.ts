import { days } from '../durations.ts'
import { MeshError } from '../errors.ts'
import { keyToken } from '../message/key.ts'

/** What a publisher may say of when an event comes. */
export type DelayOptions = {
  /** It comes this much later, ms, by the server's clock; what is negative comes at once. @default now */
  deliverIn?: number
  /** It comes at this time; what is past comes at once. @default now */
  deliverAt?: Date
  /**
   * Names what waits, 128 bytes at most: a second event of this type under the same key takes the place of the first, and
   * `cancelDelayed` takes it back. Needs `deliverIn` or `deliverAt`. @default nothing can replace or cancel it
   */
  delayKey?: string
}

/** When an event comes, checked. */
export type Delay = { readonly when: { inMs: number } | { at: Date }; readonly key: string | undefined }

/** The server keeps times as 64 bits of nanoseconds, which end in 2262: what is later would come at once. */
export const MOST_DELAY_MS: number = days(100 * 365)

/**
 * Reads the delay of a publish; `undefined` when it has none.
 * @throws MeshError MESH_INVALID_DELAY with every fault
 */
export function readDelay(
  type: string,
  options: DelayOptions & { once?: boolean; expect?: unknown },
): Delay | undefined {
  const { deliverIn, deliverAt, delayKey, once, expect } = options
  if (deliverIn === undefined && deliverAt === undefined && delayKey === undefined) return undefined
  const faults: string[] = []
  if (deliverIn !== undefined && deliverAt !== undefined)
    faults.push('deliverIn and deliverAt are both given; keep one')
  if (deliverIn !== undefined) faults.push(...inFaults(deliverIn))
  if (deliverAt !== undefined) faults.push(...atFaults(deliverAt))
  const isDelayed = deliverIn !== undefined || deliverAt !== undefined
  if (delayKey !== undefined) faults.push(...keyFaults(delayKey))
  if (delayKey !== undefined && !isDelayed)
    faults.push('delayKey is given without deliverIn or deliverAt; say when it comes')
  if (isDelayed && once === true)
    faults.push('once is asked of what comes later, and by then another may be there; use a delayKey, or drop once')
  if (isDelayed && expect !== undefined)
    faults.push('something is expected of its stream, and what holds now may not hold then; drop expect')
  if (faults.length > 0) throw new MeshError('MESH_INVALID_DELAY', `${type} cannot be delayed: ${faults.join('; ')}`)
  if (deliverIn !== undefined) return { when: { inMs: Math.max(0, deliverIn) }, key: delayKey }
  if (deliverAt === undefined) return undefined
  // The server reads no year before 1, and its nanoseconds begin in 1677; all of that is past anyway.
  return { when: { at: new Date(Math.max(0, deliverAt.getTime())) }, key: delayKey }
}

function inFaults(deliverIn: unknown): string[] {
  if (typeof deliverIn !== 'number' || Number.isNaN(deliverIn)) return ['deliverIn is no number; give milliseconds']
  return deliverIn > MOST_DELAY_MS ? [`deliverIn is ${deliverIn} ms; ${MOST_DELAY_MS} (100 years) is the most`] : []
}

function atFaults(deliverAt: unknown): string[] {
  if (!(deliverAt instanceof Date) || Number.isNaN(deliverAt.getTime())) return ['deliverAt is no valid Date']
  const isTooFar = deliverAt.getTime() - Date.now() > MOST_DELAY_MS
  return isTooFar ? [`deliverAt is ${deliverAt.toISOString()}; 100 years from now is the most`] : []
}

function keyFaults(delayKey: string): string[] {
  try {
    keyToken(delayKey)
    return []
  } catch (error) {
    return [error instanceof Error ? error.message.replace(/^MESH_INVALID_KEY: key/, 'delayKey') : String(error)]
  }
}

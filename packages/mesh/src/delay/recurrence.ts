import { days } from '../durations.ts'
import { MeshError } from '../errors.ts'
import { isMatch, isWhole, shown } from '../given.ts'
import { keyToken } from '../message/key.ts'

/** How often a recurring event comes. */
export type ScheduleOptions = {
  /** Names it among the recurring events of its type, 128 bytes at most. */
  name: string
  /**
   * Five fields (minute, hour, day of month, month, day of week) or six (seconds first), or `@hourly`, `@daily`, `@weekly`,
   * `@monthly`, `@yearly`. Give this or `everyMs`.
   */
  cron?: string
  /** Whole seconds, in ms. The first comes this long after the call. Give this or `cron`. */
  everyMs?: number
  /** Whose clock `cron` goes by, an IANA name such as `Europe/Lisbon`. @default 'UTC' */
  timeZone?: string
}

/** A recurrence as the server takes it (ADR-51). */
export type Recurrence = { readonly name: string; readonly schedule: string; readonly timeZone: string | undefined }

const MOST_EVERY_MS = days(100 * 365)
const MACROS = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually']

/**
 * Reads how often. The server has the last word on a pattern.
 * @throws MeshError MESH_INVALID_DELAY with every fault
 */
export function readRecurrence(type: string, options: ScheduleOptions): Recurrence {
  const { name, cron, everyMs, timeZone } = options ?? {}
  const faults = nameFaults(name)
  if ((cron === undefined) === (everyMs === undefined)) faults.push('give one of cron and everyMs')
  if (everyMs !== undefined) faults.push(...everyFaults(everyMs, timeZone))
  if (cron !== undefined) faults.push(...cronFaults(cron))
  const zone = timeZone === undefined ? undefined : zoneOf(timeZone)
  if (timeZone !== undefined && zone === undefined)
    faults.push(`timeZone ${shown(timeZone)} is unknown; take an IANA name such as Europe/Lisbon`)
  if (faults.length > 0) throw scheduleError(type, name, faults.join('; '))
  const schedule = cron === undefined ? `@every ${everyMs! / 1000}s` : sixFields(cron)
  return { name, schedule, timeZone: zone }
}

export function scheduleError(type: string, name: string, why: string, cause?: unknown): MeshError {
  const what = `${type} cannot be scheduled as ${shown(name)}`
  return new MeshError('MESH_INVALID_DELAY', `${what}: ${why}`, { cause })
}

function nameFaults(name: string): string[] {
  try {
    keyToken(name)
    return []
  } catch (error) {
    return [error instanceof Error ? error.message.replace(/^MESH_INVALID_KEY: key/, 'name') : String(error)]
  }
}

function everyFaults(everyMs: number, timeZone: string | undefined): string[] {
  const faults: string[] = []
  // The server rounds to seconds, so that 1500 would come after 2 and 1 s by turns.
  if (!isWhole(everyMs, 1000, MOST_EVERY_MS) || everyMs % 1000 !== 0)
    faults.push(`everyMs is ${shown(everyMs)}; whole seconds from 1000 to ${MOST_EVERY_MS}`)
  if (timeZone !== undefined) faults.push('timeZone goes with cron only; everyMs counts from the call')
  return faults
}

function cronFaults(cron: string): string[] {
  if (MACROS.includes(cron)) return []
  const fields = typeof cron === 'string' ? cron.trim().split(/\s+/) : []
  if (fields.length === 5 || fields.length === 6) {
    const odd = fields.find((field) => !/^[\dA-Za-z*?,/-]+$/.test(field))
    return odd === undefined
      ? []
      : [`cron field ${JSON.stringify(odd)} has other characters than digits, names and * ? , / -`]
  }
  return [`cron ${shown(cron)} has not five fields (minute, hour, day, month, weekday) or six (seconds first)`]
}

/** The server wants seconds. */
function sixFields(cron: string): string {
  const fields = cron.trim().split(/\s+/)
  return fields.length === 5 ? `0 ${fields.join(' ')}` : fields.join(' ')
}

/** Its name in the spelling of the tz database, which the server's host takes literally. */
function zoneOf(timeZone: string): string | undefined {
  if (!isMatch(timeZone, /^[A-Za-z][\w+-]*(\/[\w+-]+)*$/)) return undefined
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

import { MeshError } from '../errors.ts'
import { decodeAttribute, HEADER } from '../message/headers.ts'
import type { Logger } from '../observe/logger.ts'
import { getStored, type StoredMessage } from '../read/stored-message.ts'
import { checkFormat, DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import { dueOf, idOf, isWaiting, type SlotDeps } from './in-slot.ts'
import { parseSlot, type Slot, slotName } from './slot.ts'

/** An event that waits, for people to look at. */
export type Delayed = {
  type: string
  /** The event's own key, of a keyed one. */
  key: string | undefined
  /** When it began to wait, by the server's clock. */
  since: Date
} & (
  | { kind: 'once'; id: string; until: Date; delayKey: string | undefined }
  | {
      kind: 'recurring'
      name: string
      /** As the server has it: six fields of cron, `@daily` and so on, or `@every 90s`. */
      schedule: string
      timeZone: string | undefined
    }
)

export type DelayedOptions = {
  /** How many at most, oldest first. @default 100 */
  limit?: number
}

/**
 * What waits, in the order in which it was published. One question to the server each. What anybody else stored there, and
 * cannot be read as an event that waits, is logged and left out.
 * @throws MeshError MESH_NEWER_VERSION when one of them is of a format that this release cannot read
 * Needs `$JS.API.STREAM.MSG.GET.DELAYS`.
 */
export async function listDelayed(
  { nc, names, log }: Pick<SlotDeps, 'nc' | 'names'> & { log: Logger },
  type: string | undefined,
  { limit = 100 }: DelayedOptions,
): Promise<Delayed[]> {
  const filter = names.subject(type === undefined ? 'delay.at.>' : `delay.at.${type}.*.*`)
  const found: Delayed[] = []
  for (let seq = 1; found.length < limit;) {
    const stored = await getStored(nc, names.delays(), { seq, next_by_subj: filter })
    if (!stored) return found
    seq = stored.seq + 1
    try {
      checkFormat(stored.headers)
      const slot = parseSlot(names, stored.subject)
      if (slot && isWaiting(stored)) found.push(delayedOf(slot, stored))
    } catch (error) {
      if (!(error instanceof MeshError && error.code === 'MESH_UNDECODABLE')) throw error
      const fields = { stream: names.delays(), seq: stored.seq, subject: stored.subject, err: error }
      log.warn(fields, 'no delayed event, though it lies among them; it is left out of the list')
    }
  }
  return found
}

function delayedOf(slot: Slot, stored: StoredMessage): Delayed {
  const common = { type: slot.type, key: keyOf(stored), since: new Date(stored.time) }
  if (slot.kind === '_name') return { ...common, kind: 'recurring', name: slotName(slot), ...scheduleOf(stored) }
  const [id, until] = [idOf(stored), new Date(dueOf(stored))]
  if (id === '' || Number.isNaN(until.getTime()))
    throw new MeshError('MESH_UNDECODABLE', `a delayed event names no ${id === '' ? HEADER.id : DELAY_HEADER.due}`)
  return { ...common, kind: 'once', id, until, delayKey: slot.kind === '_key' ? slotName(slot) : undefined }
}

function keyOf({ headers }: StoredMessage): string | undefined {
  const key = headers[HEADER.partitionKey]
  return key === undefined ? undefined : decodeAttribute(key)
}

function scheduleOf({ headers }: StoredMessage): { schedule: string; timeZone: string | undefined } {
  return {
    schedule: headers[SCHEDULE_HEADER.schedule.toLowerCase()] ?? '',
    timeZone: headers[SCHEDULE_HEADER.timeZone.toLowerCase()],
  }
}

import { decodeAttribute, HEADER } from '../message/headers.ts'
import { getStored, type StoredMessage } from '../publish/stored-message.ts'
import { checkFormat, SCHEDULE_HEADER } from './headers.ts'
import { dueOf, idOf, isWaiting, type SlotDeps } from './in-slot.ts'
import { parseSlot, slotName } from './slot.ts'

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
 * What waits, in the order in which it was published. One question to the server each.
 * @throws MeshError MESH_NEWER_VERSION when one of them is of a format that this release cannot read
 * Needs `$JS.API.STREAM.MSG.GET.DELAYS`.
 */
export async function listDelayed(
  { nc, names }: Pick<SlotDeps, 'nc' | 'names'>,
  type: string | undefined,
  { limit = 100 }: DelayedOptions,
): Promise<Delayed[]> {
  const filter = names.subject(type === undefined ? 'delay.at.>' : `delay.at.${type}.*.*`)
  const found: Delayed[] = []
  for (let seq = 1; found.length < limit;) {
    const stored = await getStored(nc, names.delays(), { seq, next_by_subj: filter })
    if (!stored) return found
    seq = stored.seq + 1
    checkFormat(stored.headers)
    const slot = parseSlot(names, stored.subject)
    if (!slot || !isWaiting(stored)) continue
    const common = { type: slot.type, key: keyOf(stored), since: new Date(stored.time) }
    if (slot.kind === '_name') found.push({ ...common, kind: 'recurring', name: slotName(slot), ...scheduleOf(stored) })
    else {
      const delayKey = slot.kind === '_key' ? slotName(slot) : undefined
      found.push({ ...common, kind: 'once', id: idOf(stored), until: new Date(dueOf(stored)), delayKey })
    }
  }
  return found
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

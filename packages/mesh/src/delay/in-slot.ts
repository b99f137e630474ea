import type { NatsConnection } from '@nats-io/transport-node'
import { decodeAttribute, HEADER } from '../message/headers.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { getStored, type StoredMessage } from '../publish/stored-message.ts'
import type { Names } from '../topology/names.ts'
import { DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import type { ServerClock } from './server-clock.ts'
import { type Slot, slotSubject } from './slot.ts'

/** What the operations on slots work with. */
export type SlotDeps = { nc: NatsConnection; pipeline: PublishPipeline; names: Names; clock: ServerClock }

/** The server looks every 250 ms; after this, what was due has left its slot unless the server is far behind. */
export const SETTLED_MS = 1000

/** What a slot holds: an event that waits, or the mark of one that was taken back. */
export function inSlot({ nc, names }: SlotDeps, slot: Slot): Promise<StoredMessage | undefined> {
  return getStored(nc, names.delays(), { last_by_subj: slotSubject(names, slot) })
}

/** Whether it is an event, and no mark. */
export const isWaiting = ({ headers }: StoredMessage): boolean =>
  headers[SCHEDULE_HEADER.schedule.toLowerCase()] !== undefined

export const idOf = ({ headers }: StoredMessage): string => decodeAttribute(headers[HEADER.id] ?? '')

/** When it comes, unix ms; NaN for one that comes again and again. */
export const dueOf = ({ headers }: StoredMessage): number => Date.parse(headers[DELAY_HEADER.due] ?? '')

/** The slot does not hold what was expected. */
export const isWrongSequence = (error: unknown): boolean =>
  error instanceof PublishRefused && error.errCode === ERR_CODE.wrongLastSequence

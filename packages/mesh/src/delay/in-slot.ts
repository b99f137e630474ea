import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { decodeAttribute, HEADER } from '../message/headers.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { getStored, type StoredMessage } from '../read/stored-message.ts'
import type { Names } from '../topology/names.ts'
import { checkFormat, DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import type { Patience } from './patience.ts'
import type { ServerClock } from '../lifecycle/server-clock.ts'
import { type Slot, slotSubject } from './slot.ts'

/** What the operations on slots work with. */
export type SlotDeps = {
  nc: NatsConnection
  pipeline: PublishPipeline
  names: Names
  clock: Pick<ServerClock, 'now' | 'estimate' | 'errorMs'>
  /** Of this one operation. */
  patience: Patience
}

/** The server looks every 250 ms; after this, what was due has left its slot unless the server is far behind. */
const SETTLED_MS = 1000
/** For the questions after that. */
const ANSWERS_MS = 5000
/** Marks last 30 s. What is not in its slot after this may have been taken back, or was a mark. */
const KNOWN_FOR_MS = 15_000
/** Who put something at risk looks first whether it stays. */
const OTHERS_WAIT_MS = SETTLED_MS + 500

/**
 * What a slot holds: an event that waits, or the mark of one that was taken back. What is at risk to be cleared together
 * with what it replaced is waited for, so that nobody builds on it.
 * @throws MeshError MESH_NEWER_VERSION, and those of asking
 */
export async function inSlot({ nc, names, patience, clock }: SlotDeps, slot: Slot): Promise<StoredMessage | undefined> {
  const query = { last_by_subj: slotSubject(names, slot) }
  for (;;) {
    const there = await patience.ask(() => getStored(nc, names.delays(), query))
    if (!there) return undefined
    checkFormat(there.headers)
    const storedAt = Date.parse(there.time)
    const before = Date.parse(there.headers[DELAY_HEADER.before] ?? '')
    if (!(storedAt >= before)) return there
    const leftMs = storedAt + OTHERS_WAIT_MS - (await patience.ask(() => clock.now()))
    if (leftMs <= 0) return there
    await sleep(Math.min(leftMs, OTHERS_WAIT_MS))
  }
}

/** Whether the server may have begun to deliver what comes at `dueMs` before something just stored took its place. */
export const isAtRisk = ({ clock }: SlotDeps, dueMs: number): boolean => clock.estimate() + clock.errorMs >= dueMs

/** Waits until the server has surely cleared the slot, if it began to deliver what was there before. */
export async function untilSettled({ patience }: SlotDeps): Promise<void> {
  patience.extend(SETTLED_MS + ANSWERS_MS)
  await sleep(SETTLED_MS)
}

/**
 * What is not in its slot any more was cleared by the server, unless it was stored long ago.
 * @param storedAt by `performance.now()`
 * @throws MeshError MESH_PUBLISH_TIMEOUT
 */
export function checkNotStopped({ type }: Slot, storedAt: number): void {
  if (performance.now() - storedAt <= KNOWN_FOR_MS) return
  throw new MeshError(
    'MESH_PUBLISH_TIMEOUT',
    `${type}: this process was stopped while it changed what waits under a key, and cannot tell what became of it; look, or ask again (an event with the same id)`,
  )
}

/** Says on what takes the place of another until when it had to be stored. */
export const beforeHeader = (replaced: StoredMessage | undefined): [string, string][] => {
  const due = replaced && isWaiting(replaced) ? dueOf(replaced) : Number.NaN
  return Number.isNaN(due) ? [] : [[DELAY_HEADER.before, new Date(due).toISOString()]]
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

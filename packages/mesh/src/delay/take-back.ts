/**
 * Takes back what waits in a slot, by putting a mark in its place.
 *
 * T1  `true` only when it will not come: it was taken out before the server could begin to deliver it.
 * T2  `false` when nothing waits there, or when it is due: then it comes, or came.
 */
import { randomUUID } from 'node:crypto'
import { HEADER } from '../message/headers.ts'
import { getStored, type StoredMessage } from '../read/stored-message.ts'
import { DELAY_FORMAT, DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import {
  beforeHeader,
  checkNotStopped,
  dueOf,
  inSlot,
  isAtRisk,
  isWaiting,
  isWrongSequence,
  type SlotDeps,
  untilSettled,
} from './in-slot.ts'
import { type Slot, slotSubject } from './slot.ts'

/** A mark stays until the server has surely cleared the slot, if it began to deliver before the mark came. */
const MARK_STAYS = '30s'

/** @throws those of a publish, MESH_NEWER_VERSION */
export async function takeBack(deps: SlotDeps, slot: Slot): Promise<boolean> {
  for (;;) {
    const waiting = await inSlot(deps, slot)
    if (!waiting || !isWaiting(waiting)) return false
    if (dueOf(waiting) <= (await deps.patience.ask(() => deps.clock.now())) + deps.clock.errorMs) return false
    const mark = await putMark(deps, slot, waiting)
    if (mark !== undefined) return await wasInTime(deps, slot, { waiting, mark })
    // Another took its place meanwhile.
  }
}

/**
 * Upholds T1: whoever was too close to tell looks whether the server cleared the slot, which it does on delivering. One
 * that comes again and again is not cleared, and goes on until its mark is there.
 */
async function wasInTime(
  deps: SlotDeps,
  slot: Slot,
  { waiting, mark }: { waiting: StoredMessage; mark: number },
): Promise<boolean> {
  const due = dueOf(waiting)
  const storedAt = performance.now()
  if (Number.isNaN(due) || !isAtRisk(deps, due)) return true
  await untilSettled(deps)
  const { nc, names, patience } = deps
  const there = await patience.ask(() => getStored(nc, names.delays(), { last_by_subj: slotSubject(names, slot) }))
  // Another event may be in its place by now: put there while the mark was.
  const over = Number(there?.headers[HEADER.expectedLastSubjectSequence.toLowerCase()])
  if (there?.seq === mark || over === mark) return true
  checkNotStopped(slot, storedAt)
  return false
}

/** Its sequence, or `undefined` when the slot does not hold what was expected. */
async function putMark(deps: SlotDeps, slot: Slot, waiting: StoredMessage): Promise<number | undefined> {
  const { names, pipeline, patience } = deps
  const msgId = randomUUID()
  const headers: [string, string][] = [
    [DELAY_HEADER.format, DELAY_FORMAT],
    ...beforeHeader(waiting),
    [SCHEDULE_HEADER.rollup, 'sub'],
    [SCHEDULE_HEADER.ttl, MARK_STAYS],
    [HEADER.msgId, msgId],
    [HEADER.expectedLastSubjectSequence, String(waiting.seq)],
  ]
  const request = { subject: slotSubject(names, slot), payload: new Uint8Array(), headers, timeoutMs: patience.leftMs }
  try {
    return (await pipeline.publish(request)).seq
  } catch (error) {
    if (!isWrongSequence(error)) throw error
    // An earlier send of this very mark may have been stored and its answer lost.
    const there = await inSlot(deps, slot)
    return there?.headers[HEADER.msgId.toLowerCase()] === msgId ? there.seq : undefined
  }
}

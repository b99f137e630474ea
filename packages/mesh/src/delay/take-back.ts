/**
 * Takes back what waits in a slot, by putting a mark in its place.
 *
 * T1  `true` only when it will not come: it was taken out before the server could begin to deliver it.
 * T2  `false` when nothing waits there, or when it is due: then it comes, or came.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { HEADER } from '../message/headers.ts'
import type { StoredMessage } from '../publish/stored-message.ts'
import { DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import { dueOf, inSlot, isWaiting, isWrongSequence, SETTLED_MS, type SlotDeps } from './in-slot.ts'
import { type Slot, slotSubject } from './slot.ts'

/** A mark stays until the server has surely cleared the slot, if it began to deliver before the mark came. */
const MARK_STAYS = '30s'
const MARK_MS = 30_000

/** @throws those of a publish */
export async function takeBack(deps: SlotDeps, slot: Slot): Promise<boolean> {
  for (;;) {
    const now = await deps.clock.now()
    const waiting = await inSlot(deps, slot)
    if (!waiting || !isWaiting(waiting)) return false
    if (dueOf(waiting) <= now + deps.clock.errorMs) return false
    const mark = await putMark(deps, slot, waiting.seq)
    if (mark !== undefined) return await wasInTime(deps, slot, { waiting, mark })
    // Another took its place meanwhile.
  }
}

/** Upholds T1: whoever was too close to tell looks whether the server cleared the slot, which it does on delivering. */
async function wasInTime(
  deps: SlotDeps,
  slot: Slot,
  { waiting, mark }: { waiting: StoredMessage; mark: number },
): Promise<boolean> {
  const leftMs = dueOf(waiting) - deps.clock.estimate() - deps.clock.errorMs
  // One that comes again and again has no one time, and goes on until its mark is there.
  if (Number.isNaN(leftMs) || leftMs > 0) return true
  await sleep(SETTLED_MS)
  return (await putMark(deps, slot, mark)) !== undefined
}

/** Its sequence, or `undefined` when the slot does not hold what was expected. */
async function putMark(deps: SlotDeps, slot: Slot, expected: number): Promise<number | undefined> {
  const { names, pipeline } = deps
  const msgId = randomUUID()
  const headers: [string, string][] = [
    [DELAY_HEADER.format, '1'],
    [SCHEDULE_HEADER.rollup, 'sub'],
    [SCHEDULE_HEADER.ttl, MARK_STAYS],
    [HEADER.msgId, msgId],
    [HEADER.expectedLastSubjectSequence, String(expected)],
  ]
  const request = { subject: slotSubject(names, slot), payload: new Uint8Array(), headers, timeoutMs: MARK_MS }
  try {
    return (await pipeline.publish(request)).seq
  } catch (error) {
    if (!isWrongSequence(error)) throw error
    // An earlier send of this very mark may have been stored and its answer lost.
    const there = await inSlot(deps, slot)
    return there?.headers[HEADER.msgId.toLowerCase()] === msgId ? there.seq : undefined
  }
}

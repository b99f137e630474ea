/**
 * Stores an event that comes later, in its slot of the stream of delays.
 *
 * W1  A slot holds one event. Without a key it is the event's own slot, and a repeat of the same id adds nothing.
 * W2  What takes the place of another is not lost when that one becomes due at this very moment: the server then clears
 *     the slot, so it is looked at again and, if need be, stored again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { envelopeHeaders } from '../message/envelope.ts'
import { HEADER } from '../message/headers.ts'
import { delayMarker } from '../observe/spans.ts'
import type { PubAck } from '../publish/pub-ack.ts'
import { checkSize, IdConflict, type Outgoing, type Published } from '../publish/publisher.ts'
import { getStored, type StoredMessage } from '../publish/stored-message.ts'
import type { Delay } from './delay.ts'
import { DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import { dueOf, idOf, inSlot, isWaiting, isWrongSequence, SETTLED_MS, type SlotDeps } from './in-slot.ts'
import { type Slot, slotOf, slotSubject } from './slot.ts'

const POLL_MS = 100
/** What is due leaves its slot by itself. A server that is further behind is not waited for. */
const LEAVES_WITHIN_MS = 5000

/** An event on its way into a slot. */
type Waiting = { out: Outgoing; slot: Slot; dueMs: number; trace: string | undefined }

/** @throws MeshError MESH_ID_CONFLICT | MESH_PAYLOAD_TOO_LARGE and those of the pipeline */
export async function storeDelayed(deps: SlotDeps, out: Outgoing, { when, key }: Delay): Promise<Published> {
  const { type, id } = out.envelope
  const dueMs = 'at' in when ? when.at.getTime() : Math.ceil((await deps.clock.now()) + when.inMs)
  const slot = key === undefined ? slotOf(type, '_id', id) : slotOf(type, '_key', key)
  const marker = delayMarker(out.envelope, new Date(dueMs))
  const waiting = { out, slot, dueMs, trace: marker.traceparent }
  try {
    const published = await (key === undefined ? storeOwn(deps, waiting) : storeKeyed(deps, waiting))
    marker.end()
    return published
  } catch (error) {
    marker.fail(error)
    throw error
  }
}

/** The slot is this event's alone: whatever is in it is the event itself, by an earlier publish. */
async function storeOwn(deps: SlotDeps, waiting: Waiting): Promise<Published> {
  for (;;) {
    const ack = await tryStore(deps, waiting, { expected: 0, msgId: waiting.out.envelope.id })
    if (ack) return answer(deps, waiting, ack)
    const there = await inSlot(deps, waiting.slot)
    if (there) return thereAlready(deps, waiting, there)
    // It left its slot between the two questions: the server knows its id, and says so when asked again.
  }
}

async function storeKeyed(deps: SlotDeps, waiting: Waiting): Promise<Published> {
  const { id } = waiting.out.envelope
  let current: StoredMessage | undefined
  for (let round = 0; ;) {
    const msgId = round === 0 ? id : `${id}#${round}`
    const ack = await tryStore(deps, waiting, { expected: current?.seq ?? 0, msgId })
    if (ack) {
      if (ack.duplicate || (await stays(deps, waiting, { ack, replaced: current }))) return answer(deps, waiting, ack)
      current = undefined
      round++
    } else {
      current = await inSlot(deps, waiting.slot)
      if (current && isWaiting(current) && idOf(current) === id) return thereAlready(deps, waiting, current)
      if (current && dueOf(current) <= deps.clock.estimate()) current = await untilGone(deps, waiting.slot, current)
    }
  }
}

/** Upholds W2. */
async function stays(
  deps: SlotDeps,
  { slot, dueMs }: Waiting,
  { ack, replaced }: { ack: PubAck; replaced: StoredMessage | undefined },
): Promise<boolean> {
  if (!replaced || !isWaiting(replaced)) return true
  if (deps.clock.estimate() + deps.clock.errorMs < dueOf(replaced)) return true
  await sleep(SETTLED_MS)
  if (await getStored(deps.nc, ack.stream, { seq: ack.seq })) return true
  // Another is in its place, or took it back; or it came already.
  return dueMs <= deps.clock.estimate() || (await inSlot(deps, slot)) !== undefined
}

async function untilGone(deps: SlotDeps, slot: Slot, due: StoredMessage): Promise<StoredMessage | undefined> {
  const until = performance.now() + LEAVES_WITHIN_MS
  for (;;) {
    const there = await inSlot(deps, slot)
    if (there?.seq !== due.seq || performance.now() > until) return there
    await sleep(POLL_MS)
  }
}

/** `undefined` when the slot does not hold what was expected. */
async function tryStore(
  { names, pipeline, nc }: SlotDeps,
  { out, slot, dueMs, trace }: Waiting,
  { expected, msgId }: { expected: number; msgId: string },
): Promise<PubAck | undefined> {
  const due = new Date(dueMs).toISOString()
  const headers = [
    ...envelopeHeaders({ ...out.envelope, time: due }),
    ...out.headers,
    ...originHeaders(names, out),
    [DELAY_HEADER.due, due] as const,
    ...(trace === undefined ? [] : [[DELAY_HEADER.trace, trace] as const]),
    [SCHEDULE_HEADER.schedule, `@at ${due}`] as const,
    [SCHEDULE_HEADER.target, names.delayDue(slot.type)] as const,
    [HEADER.msgId, msgId] as const,
    [HEADER.expectedLastSubjectSequence, String(expected)] as const,
  ]
  checkSize(nc, out, headers)
  try {
    const subject = slotSubject(names, slot)
    return await pipeline.publish({ subject, payload: out.payload, headers, timeoutMs: out.timeoutMs })
  } catch (error) {
    if (isWrongSequence(error)) return undefined
    throw error
  }
}

/** Where an event goes when it is due. */
export function originHeaders(names: SlotDeps['names'], out: Outgoing): [string, string][] {
  return [
    [DELAY_HEADER.format, '1'],
    [DELAY_HEADER.subject, names.strip(out.subject)],
    [DELAY_HEADER.stream, out.stream.slice(names.stream('').length)],
  ]
}

async function answer(deps: SlotDeps, waiting: Waiting, ack: PubAck): Promise<Published> {
  // One that is gone came already, or was taken back: it cannot be compared.
  const first = ack.duplicate ? await getStored(deps.nc, ack.stream, { seq: ack.seq }) : undefined
  if (first) return thereAlready(deps, waiting, first)
  const { id } = waiting.out.envelope
  return { id, stream: ack.stream, seq: ack.seq, duplicate: ack.duplicate, waitsUntil: new Date(waiting.dueMs) }
}

/** @throws MeshError MESH_ID_CONFLICT */
function thereAlready({ names }: SlotDeps, { out }: Waiting, there: StoredMessage): Published {
  const isSame = idOf(there) === out.envelope.id && there.payload.equals(out.payload)
  if (!isSame)
    throw new IdConflict(out, { ...there, subject: names.subject(there.headers[DELAY_HEADER.subject] ?? '') })
  return {
    id: out.envelope.id,
    stream: names.delays(),
    seq: there.seq,
    duplicate: true,
    waitsUntil: new Date(dueOf(there)),
  }
}

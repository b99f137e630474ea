/**
 * Stores an event that comes later, in its slot of the stream of delays.
 *
 * W1  A slot holds one event. Without a key it is the event's own slot, and a repeat of the same id adds nothing.
 * W2  What takes the place of another is not lost when that one becomes due at this very moment: the server then clears
 *     the slot with it. So it is looked at again and, if need be, stored again; should it have come meanwhile, its stream
 *     knows its id.
 * W3  Nothing is put over what is at risk of W2, so that one look tells (`inSlot`).
 */
import { envelopeHeaders } from '../message/envelope.ts'
import { HEADER, headerBytes } from '../message/headers.ts'
import { delayMarker } from '../observe/spans.ts'
import type { PubAck } from '../publish/pub-ack.ts'
import { checkSize, IdConflict, type Outgoing, type Published } from '../publish/publisher.ts'
import { getStored, type StoredMessage } from '../read/stored-message.ts'
import type { Delay } from './delay.ts'
import { DELAY_FORMAT, DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import {
  beforeHeader,
  checkNotStopped,
  dueOf,
  idOf,
  inSlot,
  isAtRisk,
  isWaiting,
  isWrongSequence,
  type SlotDeps,
  untilSettled,
} from './in-slot.ts'
import { type Slot, slotOf, slotSubject } from './slot.ts'

/** An event on its way into a slot. */
type Waiting = { out: Outgoing; slot: Slot; dueMs: number; trace: string | undefined }

/** @throws MeshError MESH_ID_CONFLICT | MESH_PAYLOAD_TOO_LARGE | MESH_NEWER_VERSION and those of the pipeline */
export async function storeDelayed(deps: SlotDeps, out: Outgoing, { when, key }: Delay): Promise<Published> {
  const { type, id } = out.envelope
  const dueMs = 'at' in when ? when.at.getTime() : await dueIn(deps, when.inMs)
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

/** Never early: by as much as the server's clock is not known it comes later. */
async function dueIn(deps: SlotDeps, inMs: number): Promise<number> {
  const nowMs = await now(deps)
  return Math.ceil(nowMs + deps.clock.errorMs + inMs)
}

const now = ({ patience, clock }: SlotDeps): Promise<number> => patience.ask(() => clock.now())

/** The slot is this event's alone: whatever is in it is the event itself, by an earlier publish. */
async function storeOwn(deps: SlotDeps, waiting: Waiting): Promise<Published> {
  for (;;) {
    const ack = await tryStore(deps, waiting, { there: undefined, msgId: waiting.out.envelope.id })
    if (ack) return await answer(deps, waiting, ack)
    const there = await inSlot(deps, waiting.slot)
    if (there) return thereAlready(deps, waiting, there)
    // It left its slot between the two questions: the server knows its id, and says so when asked again.
  }
}

async function storeKeyed(deps: SlotDeps, waiting: Waiting): Promise<Published> {
  const { slot, out } = waiting
  const { id } = out.envelope
  /** What this call may have taken the place of, with an answer that was lost. */
  let tried: StoredMessage | undefined
  for (let round = 0; ;) {
    const there = await inSlot(deps, slot)
    const replaced = there && isWaiting(there) ? there : undefined
    if (replaced && idOf(replaced) === id) return thereAlready(deps, waiting, replaced)
    if (replaced && dueOf(replaced) <= (await now(deps))) {
      // It is on its way; the server clears its slot as it comes.
      await deps.patience.pause('what waits under this key is due, and the server has not moved it')
      continue
    }
    tried = replaced ?? tried
    const msgId = round === 0 ? id : `${id}#${round}`
    const ack = await tryStore(deps, waiting, { there, msgId })
    if (!ack) continue
    if (ack.duplicate && !(tried && ack.seq > tried.seq)) return await answer(deps, waiting, ack)
    if (await stays(deps, waiting, { ack, replaced: ack.duplicate ? tried : replaced }))
      return await answer(deps, waiting, ack)
    round++
  }
}

/** Upholds W2. */
async function stays(
  deps: SlotDeps,
  { slot }: Waiting,
  { ack, replaced }: { ack: PubAck; replaced: StoredMessage | undefined },
): Promise<boolean> {
  if (!replaced || !isAtRisk(deps, dueOf(replaced))) return true
  const storedAt = performance.now()
  await untilSettled(deps)
  if (await deps.patience.ask(() => getStored(deps.nc, ack.stream, { seq: ack.seq }))) return true
  // Another is in its place, or took it back.
  if (await inSlot(deps, slot)) return true
  checkNotStopped(slot, storedAt)
  return false
}

/** `undefined` when the slot does not hold what was expected. */
async function tryStore(
  { names, pipeline, nc, patience }: SlotDeps,
  { out, slot, dueMs, trace }: Waiting,
  { there, msgId }: { there: StoredMessage | undefined; msgId: string },
): Promise<PubAck | undefined> {
  const due = new Date(dueMs).toISOString()
  const headers = [
    ...envelopeHeaders({ ...out.envelope, time: due }),
    ...out.headers,
    ...originHeaders(names, out),
    [DELAY_HEADER.due, due] as const,
    ...beforeHeader(there),
    ...(trace === undefined ? [] : [[DELAY_HEADER.trace, trace] as const]),
    [SCHEDULE_HEADER.schedule, `@at ${due}`] as const,
    [SCHEDULE_HEADER.target, names.delayDue(slot.type)] as const,
    [HEADER.msgId, msgId] as const,
    [HEADER.expectedLastSubjectSequence, String(there?.seq ?? 0)] as const,
  ]
  checkSize(nc, out, headerBytes(headers))
  try {
    const subject = slotSubject(names, slot)
    return await pipeline.publish({ subject, payload: out.payload, headers, timeoutMs: patience.leftMs })
  } catch (error) {
    if (isWrongSequence(error)) return undefined
    throw error
  }
}

/** Where an event goes when it is due. */
export function originHeaders(names: SlotDeps['names'], out: Outgoing): [string, string][] {
  return [
    [DELAY_HEADER.format, DELAY_FORMAT],
    [DELAY_HEADER.subject, names.strip(out.subject)],
    [DELAY_HEADER.stream, out.stream.slice(names.stream('').length)],
  ]
}

async function answer(deps: SlotDeps, waiting: Waiting, ack: PubAck): Promise<Published> {
  // One that is gone came already, or was taken back: it cannot be compared.
  const query = { seq: ack.seq }
  const first = ack.duplicate ? await deps.patience.ask(() => getStored(deps.nc, ack.stream, query)) : undefined
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

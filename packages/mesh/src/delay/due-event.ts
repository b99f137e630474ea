import type { Delivery } from '../consume/delivery.ts'
import { MeshError } from '../errors.ts'
import { hash } from 'node:crypto'
import { decodeAttribute, encodeAttribute, HEADER, type HeaderPairs } from '../message/headers.ts'
import { isSubjectOf } from '../message/key.ts'
import { uuidOf } from '../message/id.ts'
import type { Names } from '../topology/names.ts'
import { checkFormat, DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import { parseSlot, slotName } from './slot.ts'

/** A delayed event whose time has come, as it goes into its stream. */
export type DueEvent = {
  type: string
  id: string
  /** Names as on the server. */
  subject: string
  stream: string
  /** When it was to come, unix ms. */
  dueMs: number
  /** The event's own, without trace context. */
  headers: HeaderPairs
  /** `traceparent` of the span that asked for it. */
  trace: string | undefined
}

/** What only the time of waiting needs, and the trace of whoever asked: the event begins one of its own. */
const DROPPED = /^(nats-|malha-delay-|traceparent$|tracestate$)/i

/** Of a subject or a name of a stream. On a line of more than 4096 bytes the server ends the connection, for all who share it. */
const MOST_LETTERS = 1024

/**
 * Reads what became due. Its type is that of the subject it waited on, which the server tells and for which its publisher
 * needed permission; where it says that it goes must fit.
 * @throws MeshError MESH_UNDECODABLE; MESH_NEWER_VERSION of another format
 */
export function readDueEvent(names: Names, type: string, delivery: Delivery): DueEvent {
  const { headers, source } = delivery
  checkFormat(headers)
  const slot = parseSlot(names, writtenByServer(delivery, SCHEDULE_HEADER.scheduler))
  if (slot?.type !== type || headers[HEADER.type] !== type)
    throw unreadable(`it waited as ${slot?.type ?? 'no delayed event'} and says that it is ${headers[HEADER.type]}`)
  const subject = headers[DELAY_HEADER.subject] ?? ''
  const isSubject = isSubjectOf(type, subject) && subject.length <= MOST_LETTERS && !/[\s*>]/.test(subject)
  if (!isSubject) throw unreadable(`it goes to ${subject.slice(0, 200)}`)
  const stream = headers[DELAY_HEADER.stream] ?? ''
  if (!/^[^\s.*>]+$/.test(stream) || stream.length > MOST_LETTERS)
    throw unreadable(`it goes to the stream ${JSON.stringify(stream.slice(0, 200))}`)
  const next = writtenByServer(delivery, SCHEDULE_HEADER.next)
  const isRecurring = next !== 'purge'
  const digest = headers[DELAY_HEADER.digest] ?? ''
  const id = isRecurring
    ? occurrenceId(type, slotName(slot), { digest, next })
    : decodeAttribute(headers[HEADER.id] ?? '')
  if (id === '') throw unreadable('it has no ce-id')
  // The server fires recurring ones at whole seconds.
  const dueMs = isRecurring
    ? Math.floor(source.publishedAt.getTime() / 1000) * 1000
    : Date.parse(headers[DELAY_HEADER.due] ?? '') || source.publishedAt.getTime()
  return {
    type,
    id,
    subject: names.subject(subject),
    stream: names.stream(stream),
    dueMs,
    headers: isRecurring
      ? occurrence(delivery, { id, dueMs, next })
      : delivery.pairs.filter(([name]) => !DROPPED.test(name)),
    trace: headers[DELAY_HEADER.trace],
  }
}

/**
 * What the server wrote. It takes away what a publisher wrote under the same name, but reads names by letter where a reader
 * does not; so a second value in any spelling was not written by it.
 */
function writtenByServer({ pairs }: Delivery, name: string): string {
  const values = pairs.filter(([one]) => one.toLowerCase() === name.toLowerCase())
  if (values.length !== 1) throw unreadable(`it has ${values.length} headers ${name}, where the server writes one`)
  return values[0]![1]
}

/** Each time a recurring event comes it is an event of its own. */
function occurrence(
  { pairs }: Delivery,
  { id, dueMs, next }: { id: string; dueMs: number; next: string },
): HeaderPairs {
  const due = new Date(dueMs).toISOString()
  const replaced: Record<string, string> = {
    [HEADER.id]: encodeAttribute(id),
    [HEADER.correlationId]: encodeAttribute(id),
    [HEADER.time]: due,
    [DELAY_HEADER.due]: due,
    [DELAY_HEADER.next]: next,
  }
  const kept = pairs.filter(([name]) => !DROPPED.test(name) && replaced[name.toLowerCase()] === undefined)
  return [...kept, ...Object.entries(replaced)]
}

/**
 * The same however often the server or a forwarder repeats it: by the time of the one after it, and by all that makes it,
 * because another schedule of that name may have the same next time.
 */
function occurrenceId(type: string, name: string, { digest, next }: { digest: string; next: string }): string {
  return uuidOf(hash('sha256', JSON.stringify(['schedule', type, name, digest, next]), 'hex'))
}

function unreadable(why: string): MeshError {
  return new MeshError('MESH_UNDECODABLE', `a delayed event cannot be brought to its stream: ${why}`)
}

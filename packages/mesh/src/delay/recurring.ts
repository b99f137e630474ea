import { hash, randomUUID } from 'node:crypto'
import { envelopeHeaders } from '../message/envelope.ts'
import { encodeAttribute, HEADER, headerBytes } from '../message/headers.ts'
import { delayMarker } from '../observe/spans.ts'
import { PublishRefused } from '../publish/pub-ack.ts'
import { checkSize, type Outgoing } from '../publish/publisher.ts'
import { DELAY_HEADER, SCHEDULE_HEADER } from './headers.ts'
import { inSlot, isWaiting, isWrongSequence, type SlotDeps } from './in-slot.ts'
import { type Recurrence, scheduleError } from './recurrence.ts'
import { slotOf, slotSubject } from './slot.ts'
import { originHeaders } from './waiting.ts'

/** What `mesh.schedule` did. */
export type Scheduled = {
  name: string
  /** Name on the server of the stream that holds it, and its sequence there. */
  stream: string
  seq: number
  /** It was not there, or differed. One that is the same goes on undisturbed. */
  changed: boolean
}

const PATTERN_INVALID = 10189
const ZONE_INVALID = 10223

/**
 * Makes a recurring event, or changes it. Safe at every start of every instance.
 * @throws MeshError MESH_INVALID_DELAY when the server takes no such pattern, and those of a publish
 */
export async function storeRecurring(deps: SlotDeps, out: Outgoing, recurrence: Recurrence): Promise<Scheduled> {
  const { type } = out.envelope
  const { name } = recurrence
  const slot = slotOf(type, '_name', name)
  const digest = digestOf(out, recurrence)
  for (;;) {
    const there = await inSlot(deps, slot)
    const stream = deps.names.delays()
    if (there && isWaiting(there) && there.headers[DELAY_HEADER.digest] === digest)
      return { name, stream, seq: there.seq, changed: false }
    const marker = delayMarker(out.envelope, undefined)
    const headers = headersOf(deps, out, { recurrence, digest, trace: marker.traceparent, expected: there?.seq ?? 0 })
    checkSize(deps.nc, out, headerBytes(headers))
    try {
      const subject = slotSubject(deps.names, slot)
      const ack = await deps.pipeline.publish({
        subject,
        payload: out.payload,
        headers,
        timeoutMs: deps.patience.leftMs,
      })
      marker.end()
      return { name, stream, seq: ack.seq, changed: true }
    } catch (error) {
      marker.fail(error)
      // Another instance was quicker.
      if (!isWrongSequence(error)) throw refusal(error, type, recurrence)
    }
  }
}

function headersOf(
  { names }: SlotDeps,
  out: Outgoing,
  {
    recurrence: { name, schedule, timeZone },
    digest,
    trace,
    expected,
  }: { recurrence: Recurrence; digest: string; trace: string | undefined; expected: number },
): [string, string][] {
  return [
    ...envelopeHeaders(out.envelope),
    ...out.headers.map(([header, value]): [string, string] => [header, value]),
    ...originHeaders(names, out),
    [DELAY_HEADER.name, encodeAttribute(name)],
    [DELAY_HEADER.digest, digest],
    ...(trace === undefined ? [] : [[DELAY_HEADER.trace, trace] as [string, string]]),
    [SCHEDULE_HEADER.schedule, schedule],
    [SCHEDULE_HEADER.target, names.delayDue(out.envelope.type)],
    ...(timeZone === undefined ? [] : [[SCHEDULE_HEADER.timeZone, timeZone] as [string, string]]),
    [HEADER.msgId, randomUUID()],
    [HEADER.expectedLastSubjectSequence, String(expected)],
  ]
}

/** All that a change of would change what comes, or when. */
function digestOf({ envelope, subject, headers, payload }: Outgoing, { schedule, timeZone }: Recurrence): string {
  const { version, contentType } = envelope
  const parts = [1, schedule, timeZone ?? null, subject, version, contentType, headers]
  return hash('sha256', `${JSON.stringify(parts)}\n${Buffer.from(payload).toString('base64')}`, 'hex')
}

function refusal(error: unknown, type: string, { name, schedule, timeZone }: Recurrence): unknown {
  if (!(error instanceof PublishRefused)) return error
  if (error.errCode === PATTERN_INVALID)
    return scheduleError(
      type,
      name,
      `the server takes no pattern ${JSON.stringify(schedule)}: seconds 0-59, minutes 0-59, hours 0-23, days 1-31, months 1-12, weekdays 0-6, and it must come within five years`,
      error,
    )
  if (error.errCode === ZONE_INVALID)
    return scheduleError(
      type,
      name,
      `the server’s host knows no time zone ${JSON.stringify(timeZone)}; install its tz database (tzdata), or check the name`,
      error,
    )
  return error
}

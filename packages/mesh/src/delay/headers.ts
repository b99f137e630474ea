import { MeshError } from '../errors.ts'
import type { ReceivedHeaders } from '../message/envelope.ts'

/** What waits and what is due say beside the event's own headers. Format 1; docs/reference/wire.md. */
export const DELAY_HEADER = {
  format: 'malha-delay-format',
  /** The subject the event goes to, without the namespace. */
  subject: 'malha-delay-subject',
  /** The stream it goes to, without the namespace. */
  stream: 'malha-delay-stream',
  /** `traceparent` of the span that asked for it. */
  trace: 'malha-delay-trace',
  /** On what took the place of another: when that one was to come, RFC 3339. Stored later than then, it may be cleared with it. */
  before: 'malha-delay-before',
  /** What a recurring event is made of: another one is a change. */
  digest: 'malha-delay-digest',
  /** The name of a recurring event. Stays on each. */
  name: 'malha-schedule',
  /** On a recurring event: when the next one comes, RFC 3339. */
  next: 'malha-next',
  /** When it was to come, RFC 3339. Stays on the event. */
  due: 'malha-due',
} as const

/** Of nats-server (ADR-51), in the spelling it writes. */
export const SCHEDULE_HEADER = {
  schedule: 'Nats-Schedule',
  target: 'Nats-Schedule-Target',
  timeZone: 'Nats-Schedule-Time-Zone',
  /** On what is due: the subject it waited on. The server takes away what a publisher wrote there, in this spelling. */
  scheduler: 'Nats-Scheduler',
  /** On what is due: `purge`, or when it comes again. */
  next: 'Nats-Schedule-Next',
  rollup: 'Nats-Rollup',
  ttl: 'Nats-TTL',
} as const

/** Of what waits and of marks. */
export const DELAY_FORMAT = '1'

/**
 * Refuses what this release cannot read.
 * @throws MeshError MESH_NEWER_VERSION of a newer format, MESH_UNDECODABLE of none
 */
export function checkFormat(headers: ReceivedHeaders): void {
  const format = headers[DELAY_HEADER.format] ?? ''
  if (format === DELAY_FORMAT) return
  if (Number(format) > Number(DELAY_FORMAT))
    throw new MeshError(
      'MESH_NEWER_VERSION',
      `a delayed event has format ${format}, this release knows ${DELAY_FORMAT}; it waits until a newer release runs`,
    )
  throw new MeshError('MESH_UNDECODABLE', `${DELAY_HEADER.format} of a delayed event is ${JSON.stringify(format)}`)
}

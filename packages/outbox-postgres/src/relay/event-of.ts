import type { PreparedEvent } from '@malha/mesh'
import { OutboxError } from '../errors.ts'

/** The event that a row holds; or why it holds none: rows may be written by hand. */
export function eventOf(id: number, message: unknown, payload: Uint8Array): PreparedEvent | OutboxError {
  const given = (message ?? {}) as Partial<PreparedEvent>
  if (typeof given.v !== 'number')
    return new OutboxError('OUTBOX_UNREADABLE_ROW', `row ${id} has no prepared event in it`)
  if (given.v !== 1)
    return new OutboxError('OUTBOX_NEWER_FORMAT', `row ${id} is of format ${String(given.v)}, this release knows 1`)
  const { envelope, subject, stream, headers, trace } = given
  const isSubject = typeof subject === 'string' && /^[^\s*>]+$/.test(subject)
  if (!envelope?.id || !envelope.type || !isSubject || !stream || !Array.isArray(headers) || !Array.isArray(trace))
    return new OutboxError('OUTBOX_UNREADABLE_ROW', `row ${id} lacks parts of a prepared event`)
  return { ...(given as PreparedEvent), payload }
}

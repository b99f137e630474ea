import { isMatch, isObject, isWhole, type PreparedEvent, shown } from '@malha/mesh'
import { OutboxError } from '../errors.ts'

/** The event that a row holds; or why it holds none: rows may be written by hand. */
export function eventOf(id: number, message: unknown, payload: Uint8Array): PreparedEvent | OutboxError {
  const given = isObject(message) ? message : {}
  if (typeof given['v'] !== 'number')
    return new OutboxError('OUTBOX_UNREADABLE_ROW', `row ${id} has no prepared event in it`)
  if (given['v'] !== 1)
    return new OutboxError('OUTBOX_NEWER_FORMAT', `row ${id} is of format ${shown(given['v'])}, this release knows 1`)
  const { envelope, subject, stream, headers, trace } = given
  const isWholeEvent =
    isEnvelope(envelope) && isMatch(subject, NAME) && isMatch(stream, NAME) && arePairs(headers) && arePairs(trace)
  if (!isWholeEvent) return new OutboxError('OUTBOX_UNREADABLE_ROW', `row ${id} lacks parts of a prepared event`)
  return { ...(given as unknown as PreparedEvent), payload }
}

/** Of a subject or a stream. */
const NAME = /^[^\s*>]+$/

/** What goes into headers is text. */
function isEnvelope(envelope: unknown): boolean {
  if (!isObject(envelope)) return false
  const { id, type, version, source, time, key, correlationId, causationId, contentType } = envelope
  const needed = [id, type, source, time, correlationId, contentType]
  const optional = [key, causationId].filter((text) => text !== undefined)
  return needed.every(isText) && [id, type].every(Boolean) && optional.every(isText) && isWhole(version, 1)
}

const isText = (value: unknown): boolean => typeof value === 'string'

const arePairs = (pairs: unknown): boolean =>
  Array.isArray(pairs) && pairs.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText))

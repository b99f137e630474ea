import { HEADER, type ReceivedHeaders } from '@malha/mesh'

/** When an event happened: its `ce-time`, or where a plain client sent none, when it was stored. RFC 3339. */
export function eventTime(headers: ReceivedHeaders, storedAt: Date): string {
  const time = Date.parse(headers[HEADER.time] ?? '')
  return (Number.isNaN(time) ? storedAt : new Date(time)).toISOString()
}

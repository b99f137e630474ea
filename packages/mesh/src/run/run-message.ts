import { LANE_HEADER, ownHeaders } from '../failure/lane-headers.ts'
import { HEADER, type HeaderPairs } from '../message/headers.ts'
import type { MessagePlace, Names } from '../topology/names.ts'
import { runHeaders } from './run-headers.ts'

/** What a run sends to one handler: an event, wherever it was read. */
export type RunMessage = {
  run: string
  service: string
  handler: string
  /** Where the event stands, or stood; `subject` and `publishedAt` (RFC 3339) of it. */
  origin: MessagePlace & { subject: string; publishedAt: string }
  /** The event's own. */
  headers: HeaderPairs
  /** Subject of the records about it, with the namespace. */
  record: string
  /** Sequence of the last record there; 0: none. It is handled only if none came after that. */
  expected: number
}

/** The subject and the headers that bring an event to one handler's lane, and to nobody else. */
export function runMessage(names: Names, message: RunMessage): { subject: string; headers: HeaderPairs } {
  const { run, service, handler, origin, headers, record, expected } = message
  return {
    subject: names.laneTarget(service, handler),
    headers: [
      ...ownHeaders(headers),
      [LANE_HEADER.format, '1'],
      [LANE_HEADER.stream, origin.stream],
      [LANE_HEADER.epoch, String(origin.epoch)],
      [LANE_HEADER.seq, String(origin.seq)],
      [LANE_HEADER.subject, origin.subject],
      [LANE_HEADER.publishedAt, origin.publishedAt],
      [LANE_HEADER.storedAt, origin.storedAt],
      ...runHeaders({ run, record, expected, claim: undefined }),
      // Of two sends of one runner the server drops the second; of two that are far apart the claim does.
      [HEADER.msgId, `${record}.${expected}.${run}`],
    ],
  }
}

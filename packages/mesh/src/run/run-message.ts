import { LANE_HEADER, ownHeaders } from '../failure/lane-headers.ts'
import { decodeAttribute, encodeAttribute, HEADER, type HeaderPairs } from '../message/headers.ts'
import { replayId } from '../message/id.ts'
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
  /**
   * A new message under an id of its own, the same whoever sends it: the event is what caused it, and of one correlation with
   * it. @default false
   */
  asNew?: boolean
  /**
   * To a handler that keeps the order of keys: what the event's key is called in subjects, empty where it has none. It waits
   * for its key then.
   */
  token?: string | undefined
}

/** The subject and the headers that bring an event to one handler's lane, and to nobody else. */
export function runMessage(names: Names, message: RunMessage): { subject: string; headers: HeaderPairs } {
  const { run, service, handler, origin, record, expected, token } = message
  const own = ownHeaders(message.headers)
  const replayOf = message.asNew ? attributeOf(own, HEADER.id) : undefined
  return {
    subject:
      token === undefined
        ? names.laneTarget(service, handler)
        : names.laneOfKey(service, handler, { token, place: origin, run }),
    headers: [
      ...(replayOf === undefined ? own : renamed(own, run, replayOf)),
      [LANE_HEADER.format, '1'],
      [LANE_HEADER.stream, origin.stream],
      [LANE_HEADER.epoch, String(origin.epoch)],
      [LANE_HEADER.seq, String(origin.seq)],
      [LANE_HEADER.subject, origin.subject],
      [LANE_HEADER.publishedAt, origin.publishedAt],
      [LANE_HEADER.storedAt, origin.storedAt],
      ...runHeaders({ run, record, expected, replayOf }),
      // Of two sends of one runner the server drops the second; of two that are far apart the claim does.
      [HEADER.msgId, `${record}.${expected}.${run}`],
    ],
  }
}

/** Its own id, and whose it is: what follows from it is told apart from what followed from the event. */
function renamed(own: HeaderPairs, run: string, id: string): HeaderPairs {
  const correlationId = attributeOf(own, HEADER.correlationId) ?? id
  const replaced = new Map<string, string>([
    [HEADER.id, replayId(run, id)],
    [HEADER.correlationId, correlationId],
    [HEADER.causationId, id],
  ])
  return [
    ...own.filter(([name]) => !replaced.has(name.toLowerCase())),
    ...Array.from(replaced, ([name, value]) => [name, encodeAttribute(value)] as const),
  ]
}

function attributeOf(pairs: HeaderPairs, name: string): string | undefined {
  const value = pairs.find(([one]) => one.toLowerCase() === name)?.[1]
  return value === undefined || value === '' ? undefined : decodeAttribute(value)
}

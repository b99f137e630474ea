import type { HeaderLookup } from '../message/envelope.ts'
import { decodeAttribute, encodeAttribute, type HeaderPairs } from '../message/headers.ts'

/** What a message of a run carries on its lane, beside where it comes from. Format 1; docs/reference/wire.md. */
export const RUN_HEADER = {
  run: 'malha-run',
  record: 'malha-run-record',
  expected: 'malha-run-expected',
  claim: 'malha-run-claim',
  trace: 'malha-run-trace',
  replayOf: 'malha-replay-of',
} as const

/** A message that a run sent to its handler: whose it is, and where what becomes of it is written down. */
export type RunOf = {
  readonly run: string
  /** Subject of its records in the stream of operations, with the namespace. */
  readonly record: string
  /** Sequence of the last record there when it was sent; 0: none. */
  readonly expected: number
  /** Names this message on its lane: one that was sent twice is two. */
  readonly by: string
  /** Sequence of the record by which this message may be handled; a copy that waits for a later attempt carries it along. */
  claim: number | undefined
  /** `ce-id` of the event that it was made of, where it is a new message under an id of its own. */
  readonly replayOf: string | undefined
  /** `traceparent` of the trace that it has for itself; its attempts are of that, also those after a wait on the lane. */
  trace: string | undefined
  /** Another copy has it, or it is done with: it is acked and not handled. */
  isLost: boolean
  /** Its handler was done with it before this run: what says so. */
  already: 'inbox' | 'marker' | undefined
  /** What a shadow would have published: how many of each type. */
  withheld: Readonly<Record<string, number>> | undefined
}

/** Undefined for what no run sent, and for what only looks like it. `by` names the message. */
export function runOf(message: HeaderLookup, by: string): RunOf | undefined {
  const run = message.header(RUN_HEADER.run)
  const record = message.header(RUN_HEADER.record)
  const expected = numberOf(message.header(RUN_HEADER.expected))
  if (!run || !record || expected === undefined || !RECORD.test(record)) return undefined
  const replayOf = message.header(RUN_HEADER.replayOf)
  return {
    run,
    record,
    expected,
    by,
    claim: numberOf(message.header(RUN_HEADER.claim)),
    replayOf: replayOf && decodeAttribute(replayOf),
    trace: message.header(RUN_HEADER.trace),
    isLost: false,
    already: undefined,
    withheld: undefined,
  }
}

type Said = Pick<RunOf, 'run' | 'record' | 'expected'> & Partial<Pick<RunOf, 'claim' | 'trace' | 'replayOf'>>

/** What a message says that a run sent, and a copy of it that goes on waiting. */
export function runHeaders(run: Said | undefined): HeaderPairs {
  if (!run) return []
  return [
    [RUN_HEADER.run, run.run],
    [RUN_HEADER.record, run.record],
    [RUN_HEADER.expected, String(run.expected)],
    ...(run.claim === undefined ? [] : [[RUN_HEADER.claim, String(run.claim)] as const]),
    ...(run.trace === undefined ? [] : [[RUN_HEADER.trace, run.trace] as const]),
    ...(run.replayOf === undefined ? [] : [[RUN_HEADER.replayOf, encodeAttribute(run.replayOf)] as const]),
  ]
}

const RECORD = /^(?:[a-z0-9-]+\.)?ops\.[^\s*>]+$/

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

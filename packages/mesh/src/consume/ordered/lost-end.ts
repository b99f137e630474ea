import { setTimeout as sleep } from 'node:timers/promises'
import { getStored } from '../../read/stored-message.ts'
import { streamState } from '../../topology/stream-state.ts'
import type { PartitionRecord } from './partition-record.ts'
import type { Slice } from './slice.ts'
import { nanosOf } from './stored-delivery.ts'

type Known = Pick<PartitionRecord, 'read' | 'seen' | 'seenAt'>

/** A leader that was just elected may not know yet how long its stream is. */
const SECOND_LOOK_MS = 1000

/**
 * Up to which sequence a record still speaks of this stream; undefined when the stream was made anew, and it speaks of
 * another one. A stream that lost its end (a server that had not written it to disk, a volume that was restored) gives its
 * sequences to other events, which the record would take for done: the event it names as the last one seen is another one
 * then, or is not there yet. That is believed once it was found twice.
 */
export async function truthUpTo(slice: Slice, known: Known): Promise<number | undefined> {
  const truth = await lookUpTo(slice, known)
  if (truth === undefined || truth >= known.read) return truth
  await sleep(SECOND_LOOK_MS)
  return lookUpTo(slice, known)
}

async function lookUpTo(
  { nc, stream, epoch, filter }: Slice,
  { read, seen, seenAt }: Known,
): Promise<number | undefined> {
  const { lastSeq, firstSeq, epoch: current } = await streamState(nc, stream)
  if (current !== epoch) return undefined
  if (seen === 0 || seen < firstSeq) return Math.min(read, lastSeq)
  const there = seen > lastSeq ? undefined : await getStored(nc, stream, { seq: seen })
  const isItself = there ? nanosOf(there.time) === seenAt : seen <= lastSeq
  if (isItself) return Math.min(read, lastSeq)
  // What took its place was stored later.
  const later = timeOf(BigInt(seenAt) + 1n)
  const next = await getStored(nc, stream, { start_time: later, next_by_subj: filter })
  return Math.min(read, lastSeq, next ? next.seq - 1 : Infinity)
}

/** A record with what it says of later sequences taken back. */
export function withoutEnd(record: PartitionRecord, upTo: number): PartitionRecord {
  if (upTo >= record.read) return record
  return {
    ...record,
    read: upTo,
    seen: 0,
    seenAt: '',
    running: record.running.filter((seq) => seq <= upTo),
    open: record.open.filter(({ from }) => from <= upTo),
    ...(record.held && { held: record.held.filter(({ behind }) => behind.seq <= upTo) }),
    ...(record.begun && { begun: record.begun.filter(([seq]) => seq <= upTo) }),
  }
}

/** Unix ns as RFC 3339. */
function timeOf(nanos: bigint): string {
  const whole = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${whole}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`
}

import type { NatsConnection } from '@nats-io/transport-node'
import { getStored } from '../../publish/stored-message.ts'
import { streamState } from '../../topology/stream-state.ts'
import type { PartitionRecord } from './partition-record.ts'
import { nanosOf } from './stored-delivery.ts'

export type LostEndOptions = { nc: NatsConnection; stream: string; filters: readonly string[] }

/**
 * Up to which sequence a record still speaks of this stream. A stream that lost its end (a server that had not written it to
 * disk, a volume that was restored) gives its sequences to other events, which the record would take for done: the event it
 * names as the last one seen is another one then, or is not there yet.
 */
export async function truthUpTo(
  { nc, stream, filters }: LostEndOptions,
  { read, seen, seenAt }: Pick<PartitionRecord, 'read' | 'seen' | 'seenAt'>,
): Promise<number> {
  const { lastSeq, firstSeq } = await streamState(nc, stream)
  if (seen === 0 || seen < firstSeq) return Math.min(read, lastSeq)
  const there = seen > lastSeq ? undefined : await getStored(nc, stream, { seq: seen })
  const isItself = there ? nanosOf(there.time) === seenAt : seen <= lastSeq
  if (isItself) return Math.min(read, lastSeq)
  // What took its place was stored later.
  const later = timeOf(BigInt(seenAt) + 1n)
  const found = await Promise.all(
    filters.map((filter) => getStored(nc, stream, { start_time: later, next_by_subj: filter })),
  )
  return Math.min(read, lastSeq, ...found.map((one) => (one ? one.seq - 1 : Infinity)))
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
  }
}

/** Unix ns as RFC 3339. */
function timeOf(nanos: bigint): string {
  const whole = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${whole}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`
}

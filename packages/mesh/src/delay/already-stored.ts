import type { NatsConnection } from '@nats-io/transport-node'
import { decodeAttribute, HEADER } from '../message/headers.ts'
import { getStored, type StoredMessage } from '../publish/stored-message.ts'

/**
 * The sequence of an event in its stream, if it was stored on its subject since a time. Looks at each event of that subject
 * since then, so it is for the rare case: a due event that was delivered before.
 * Needs `$JS.API.STREAM.MSG.GET.<stream>`.
 */
export async function isStoredSince(
  nc: NatsConnection,
  stream: string,
  { subject, id, from }: { subject: string; id: string; from: Date },
): Promise<number | undefined> {
  // The times of two streams may be told by two servers of a cluster.
  const startTime = new Date(from.getTime() - CLOCKS_APART_MS).toISOString()
  let found: StoredMessage | undefined = await getStored(nc, stream, { start_time: startTime, next_by_subj: subject })
  while (found) {
    if (decodeAttribute(found.headers[HEADER.id] ?? '') === id) return found.seq
    found = await getStored(nc, stream, { seq: found.seq + 1, next_by_subj: subject })
  }
  return undefined
}

const CLOCKS_APART_MS = 60_000

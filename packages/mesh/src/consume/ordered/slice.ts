import type { NatsConnection } from '@nats-io/transport-node'
import { getStored, type StoredMessage } from '../../read/stored-message.ts'
import { streamState } from '../../topology/stream-state.ts'

/** What a partition takes of its stream, by the server's names. */
export type Slice = { nc: NatsConnection; stream: string; epoch: number; filter: string }

/**
 * The first event with a sequence from `from` up to `upTo`; undefined when there surely is none.
 * @throws Error when the stream is another one, or its leader does not know all of it yet
 */
export async function firstOf(
  { nc, stream, epoch, filter }: Slice,
  { from, upTo }: { from: number; upTo: number },
): Promise<StoredMessage | undefined> {
  const look = async (): Promise<StoredMessage | undefined> => {
    const found = await getStored(nc, stream, { seq: from, next_by_subj: filter })
    return found && found.seq <= upTo ? found : undefined
  }
  const first = await look()
  if (first) return first
  // A leader that was just elected may have answered before it knew all: it is believed once it has said that it does.
  const state = await streamState(nc, stream)
  if (state.epoch !== epoch) throw new Error('the stream was made anew')
  if (state.lastSeq < upTo) throw new Error('the stream’s leader does not know all of it yet')
  return look()
}

/** What a key is called in its subject; empty for an event that was published before its contract had a key. */
export function tokenOf(subject: string, filter: string): string {
  return subject === filter ? '' : subject.slice(subject.lastIndexOf('.') + 1)
}

/** The opposite of {@link tokenOf}. */
export function subjectOf(token: string, filter: string): string {
  return token === '' ? filter : `${filter.slice(0, -1)}${token}`
}

import type { NatsConnection } from '@nats-io/transport-node'
import { getStored, type StoredMessage } from '../../publish/stored-message.ts'
import { streamState } from '../../topology/stream-state.ts'

/** What a partition takes of its stream, by the server's names. */
export type Slice = { nc: NatsConnection; stream: string; epoch: number; filters: readonly string[] }

/**
 * The first event with a sequence from `from` up to `upTo`; undefined when there surely is none.
 * @throws Error when the stream is another one, or its leader does not know all of it yet
 */
export async function firstOf(
  { nc, stream, epoch, filters }: Slice,
  { from, upTo }: { from: number; upTo: number },
): Promise<StoredMessage | undefined> {
  const look = async (): Promise<StoredMessage | undefined> => {
    const found = await Promise.all(filters.map((filter) => getStored(nc, stream, { seq: from, next_by_subj: filter })))
    return found.filter((one) => one !== undefined && one.seq <= upTo).sort((a, b) => a!.seq - b!.seq)[0]
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
export function tokenOf(subject: string, filters: readonly string[]): string {
  return filters.includes(subject) ? '' : subject.slice(subject.lastIndexOf('.') + 1)
}

/** The opposite of {@link tokenOf}. */
export function subjectOf(token: string, filters: readonly string[]): string {
  const keyed = filters.find((filter) => filter.endsWith('.*')) ?? ''
  return token === '' ? (filters.find((filter) => filter !== keyed) ?? keyed) : `${keyed.slice(0, -1)}${token}`
}

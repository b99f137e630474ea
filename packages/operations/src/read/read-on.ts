import { setTimeout as sleep } from 'node:timers/promises'
import { type DirectMessage, epochOf, getStored, type Mesh } from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { BATCH, BATCH_BYTES, readDirect } from './direct-batch.ts'

/** A stream as it is now: `life` is another one when it was made anew. */
export type StreamNow = { name: string; life: string; epoch: number; info: StreamInfo }

/** Undefined where there is no such stream. */
export async function streamNow(mesh: Mesh, name: string): Promise<StreamNow | undefined> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  try {
    const info = await jsm.streams.info(name)
    const epoch = epochOf(info)
    return { name, life: `${name}/${epoch}`, epoch, info }
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined
    throw error
  }
}

export type ReadOn<T> = {
  after: number
  /** Subjects that are read. @default all */
  filter?: string
  /** What is kept of a message. */
  read: (message: DirectMessage) => T
  onBatch: (messages: readonly T[], until: number) => void
}

/**
 * Reads a stream from behind `after` to its end as of `now`, in batches; each is given with how far it goes. Messages are read
 * by their numbers: no consumer is made, and nothing on the server changes.
 */
export async function readOn<T>(
  mesh: Mesh,
  now: StreamNow,
  { after, filter, read, onBatch }: ReadOn<T>,
): Promise<void> {
  const upTo = now.info.state.last_seq
  for (let until = after; until < upTo;) {
    const batch = await readBatch(mesh, now, { after: until, upTo, filter, limit: BATCH }, read)
    until = batch.until
    onBatch(batch.messages, until)
  }
}

export type BatchQuery = { after: number; upTo: number; filter?: string | undefined; limit: number }
export type ReadBatch<T> = { messages: readonly T[]; until: number }

/** The next messages behind `after`, at most `limit`; there are no others up to `until`, which is `upTo` or beyond at the end. */
export async function readBatch<T>(
  mesh: Mesh,
  { name, info }: StreamNow,
  { after, upTo, filter = '>', limit }: BatchQuery,
  read: (message: DirectMessage) => T,
): Promise<ReadBatch<T>> {
  const seq = Math.max(after + 1, info.state.first_seq)
  const query = { seq, batch: limit, max_bytes: BATCH_BYTES, next_by_subj: filter }
  const { read: messages, lastSeq: last = after, isEnd } = await readDirect(mesh, name, query, read)
  if (last >= upTo || !isEnd) return { messages, until: last }
  // Another replica than the leader may have answered, which has not all of it yet.
  if (info.config.num_replicas > 1) {
    const next = await getStored(mesh.nats, name, { seq: last + 1, next_by_subj: filter })
    if (next && next.seq <= upTo) {
      await sleep(BEHIND_MS)
      return { messages, until: last }
    }
  }
  return { messages, until: upTo }
}

/** What a replica takes to follow its leader, mostly. */
const BEHIND_MS = 20

import { epochOf, type Mesh } from '@malha/mesh'
import {
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  type StoredMsg,
  type StreamInfo,
} from '@nats-io/jetstream'

/** Messages read in one request at most, and their bytes: one may have a megabyte. */
const BATCH = 1000
const BATCH_BYTES = 8 * 1024 ** 2

/** A stream as it is now: `life` is another one when it was made anew. */
export type StreamNow = { name: string; life: string; info: StreamInfo }

/** Undefined where there is no such stream. */
export async function streamNow(mesh: Mesh, name: string): Promise<StreamNow | undefined> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  try {
    const info = await jsm.streams.info(name)
    return { name, life: `${name}/${epochOf(info)}`, info }
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined
    throw error
  }
}

/**
 * Reads a stream from behind `after` to its end as of `now`, in batches; each is given with how far it goes. Messages are read
 * by their numbers: no consumer is made, and nothing on the server changes.
 */
export async function readOn(
  mesh: Mesh,
  { name, info }: StreamNow,
  { after, onBatch }: { after: number; onBatch: (messages: readonly StoredMsg[], until: number) => void },
): Promise<void> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const { first_seq: firstSeq, last_seq: lastSeq } = info.state
  for (let until = after; until < lastSeq;) {
    const messages: StoredMsg[] = []
    const from = Math.max(until + 1, firstSeq)
    const batch = await jsm.direct.getBatch(name, { seq: from, batch: BATCH, max_bytes: BATCH_BYTES })
    for await (const message of batch) messages.push(message)
    // Nothing is behind it but what was removed.
    until = messages.at(-1)?.seq ?? lastSeq
    onBatch(messages, until)
  }
}

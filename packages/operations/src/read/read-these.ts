import { getStored, type Mesh, type StoredMessage } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { asStored, BATCH, BATCH_BYTES, directBatch, isLast } from './direct-batch.ts'

/** What is read in vain between two that are wanted costs less than a request each. */
const SPARSE = 4

/**
 * Messages of a stream by their numbers, in ascending order: side by side, or in one sweep where they lie close together. One
 * that no replica at hand has is asked of the leader; one that is gone is left out.
 */
export async function readThese(
  mesh: Mesh,
  stream: string,
  seqs: readonly number[],
): Promise<Map<number, StoredMessage>> {
  const found = new Map<number, StoredMessage>()
  const [first, last] = [seqs[0], seqs.at(-1)]
  if (first === undefined || last === undefined) return found
  if (last - first < SPARSE * seqs.length) await sweep(mesh, stream, { from: first, to: last, found })
  else await each(mesh, stream, seqs, found)
  const missing = seqs.filter((seq) => !found.has(seq))
  for (const seq of missing) {
    const stored = await getStored(mesh.nats, stream, { seq })
    if (stored) found.set(seq, stored)
  }
  return found
}

async function sweep(
  mesh: Mesh,
  stream: string,
  { from, to, found }: { from: number; to: number; found: Map<number, StoredMessage> },
): Promise<void> {
  for (let seq = from; seq <= to;) {
    const batch = await directBatch(mesh, stream, { seq, batch: Math.min(BATCH, to - seq + 1), max_bytes: BATCH_BYTES })
    for (const message of batch) found.set(message.seq, asStored(message))
    if (isLast(batch)) return
    seq = batch.at(-1)!.seq + 1
  }
}

async function each(
  mesh: Mesh,
  stream: string,
  seqs: readonly number[],
  found: Map<number, StoredMessage>,
): Promise<void> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  await Promise.all(
    seqs.map(async (seq) => {
      const message = await jsm.direct.getMessage(stream, { seq })
      if (message) found.set(seq, asStored(message))
    }),
  )
}

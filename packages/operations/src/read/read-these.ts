import { getStored, type Mesh, type StoredMessage } from '@malha/mesh'
import { jetstreamManager, type StoredMsg } from '@nats-io/jetstream'
import { asStored, BATCH, BATCH_BYTES, readDirect } from './direct-batch.ts'

/** What is read in vain between two that are wanted costs less than a request each. */
const SPARSE = 4

/**
 * Messages of a stream by their numbers, in ascending order: side by side, or in one sweep where they lie close together. One
 * that no replica at hand has is asked of the leader; one that is gone is left out. `read`: what is kept of each.
 */
export async function readThese<T>(
  mesh: Mesh,
  stream: string,
  seqs: readonly number[],
  read: (message: StoredMessage) => T,
): Promise<Map<number, T>> {
  const found = new Map<number, T>()
  const [first, last] = [seqs[0], seqs.at(-1)]
  if (first === undefined || last === undefined) return found
  if (last - first < SPARSE * seqs.length) await sweep(mesh, stream, { from: first, to: last, found, read })
  else await each(mesh, stream, seqs, { found, read })
  const missing = seqs.filter((seq) => !found.has(seq))
  for (const seq of missing) {
    const stored = await getStored(mesh.nats, stream, { seq })
    if (stored) found.set(seq, read(stored))
  }
  return found
}

type Found<T> = { found: Map<number, T>; read: (message: StoredMessage) => T }

async function sweep<T>(
  mesh: Mesh,
  stream: string,
  { from, to, found, read }: Found<T> & { from: number; to: number },
): Promise<void> {
  for (let seq = from; seq <= to;) {
    const query = { seq, batch: Math.min(BATCH, to - seq + 1), max_bytes: BATCH_BYTES }
    const keep = (message: StoredMsg): unknown => found.set(message.seq, read(asStored(message)))
    const { lastSeq, isEnd } = await readDirect(mesh, stream, query, keep)
    if (isEnd || lastSeq === undefined) return
    seq = lastSeq + 1
  }
}

async function each<T>(mesh: Mesh, stream: string, seqs: readonly number[], { found, read }: Found<T>): Promise<void> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  await Promise.all(
    seqs.map(async (seq) => {
      const message = await jsm.direct.getMessage(stream, { seq })
      if (message) found.set(seq, read(asStored(message)))
    }),
  )
}

import { getStored, type Mesh } from '@malha/mesh'
import { directBatch } from '../read/direct-batch.ts'

/** Read in one request at most. Entries are small: these fit into what a request may bring. */
const WINDOW = 200
const WINDOW_BYTES = 8 * 1024 ** 2

/** A message with its place and when it was stored. */
export type Stored = { readonly seq: number; readonly storedAt: string; readonly payload: Uint8Array }

/**
 * The messages of a stream from `last` back to `first`, by their numbers: no consumer is made, and nothing on the server changes.
 * What a follower has not got yet its leader is asked for.
 */
export async function* readBack(
  mesh: Mesh,
  stream: string,
  { first, last }: { first: number; last: number },
): AsyncGenerator<Stored, void> {
  for (let to = last; to >= first; to -= WINDOW) {
    const from = Math.max(first, to - WINDOW + 1)
    const found = new Map<number, Stored>()
    const batch = await directBatch(mesh, stream, { seq: from, batch: to - from + 1, max_bytes: WINDOW_BYTES })
    for (const { seq, timestamp, data } of batch) found.set(seq, { seq, storedAt: timestamp, payload: data })
    const seqs = Array.from({ length: to - from + 1 }, (_, back) => to - back)
    const messages = await Promise.all(
      seqs.map(async (seq): Promise<Stored | undefined> => {
        const known = found.get(seq) ?? (await getStored(mesh.nats, stream, { seq }))
        return known && 'time' in known ? { seq, storedAt: known.time, payload: known.payload } : known
      }),
    )
    for (const message of messages) if (message) yield message
  }
}

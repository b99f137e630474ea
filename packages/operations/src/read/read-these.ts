import { directAnswers, type DirectMessage, getStored, type Mesh, type StoredMessage } from '@malha/mesh'
import { BATCH, BATCH_BYTES, readDirect } from './direct-batch.ts'
import { NOTHING, refused } from './direct-message.ts'

/** What is read in vain between two that are wanted costs less than a request each. */
const SPARSE = 4

/** What a message is made of: subject, headers as they came, and payload. */
export type Content = Pick<StoredMessage, 'subject' | 'pairs' | 'payload'>

/** What is kept of a message. */
type Read<T> = (content: Content) => T

/**
 * Messages of a stream by their numbers, in ascending order: side by side, or in one sweep where they lie close together. One
 * that no replica at hand has is asked of the leader; one that is gone is left out.
 */
export async function readThese<T>(
  mesh: Mesh,
  stream: string,
  seqs: readonly number[],
  read: Read<T>,
): Promise<Map<number, T>> {
  const found = new Map<number, T>()
  const [first, last] = [seqs[0], seqs.at(-1)]
  if (first === undefined || last === undefined) return found
  if (last - first < SPARSE * seqs.length) await sweep(mesh, stream, seqs, { found, read })
  else await each(mesh, stream, seqs, { found, read })
  const missing = seqs.filter((seq) => !found.has(seq))
  for (const seq of missing) {
    const stored = await getStored(mesh.nats, stream, { seq })
    if (stored) found.set(seq, read(stored))
  }
  return found
}

type Found<T> = { found: Map<number, T>; read: Read<T> }

async function sweep<T>(mesh: Mesh, stream: string, seqs: readonly number[], { found, read }: Found<T>): Promise<void> {
  const wanted = new Set(seqs)
  const to = seqs.at(-1)!
  const keep = (message: DirectMessage): void => {
    if (wanted.has(message.seq)) found.set(message.seq, read(contentIn(message)))
  }
  for (let seq = seqs[0]!; seq <= to;) {
    const query = { seq, batch: Math.min(BATCH, to - seq + 1), max_bytes: BATCH_BYTES }
    const { lastSeq, isEnd } = await readDirect(mesh, stream, query, keep)
    if (isEnd || lastSeq === undefined) return
    seq = lastSeq + 1
  }
}

/** All asked for at once, and answered in any order. */
async function each<T>(mesh: Mesh, stream: string, seqs: readonly number[], { found, read }: Found<T>): Promise<void> {
  let answered = 0
  await directAnswers(mesh.nats, {
    stream,
    queries: seqs.map((seq) => ({ seq })),
    take(answer) {
      if (!('code' in answer)) found.set(answer.seq, read(contentIn(answer)))
      else if (answer.code !== NOTHING) throw refused(stream, answer)
      return ++answered === seqs.length
    },
  })
}

const contentIn = ({ subject, headers, data }: DirectMessage): Content => ({
  subject,
  pairs: headers.pairs(),
  payload: Buffer.from(data.buffer, data.byteOffset, data.length),
})

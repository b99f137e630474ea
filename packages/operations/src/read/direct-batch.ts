import { directAnswers, type DirectMessage, type Mesh } from '@malha/mesh'
import type { DirectBatchOptions } from '@nats-io/jetstream'
import { END, NOTHING, refused } from './direct-message.ts'

/** Messages read in one request at most, and their bytes: one may have a megabyte. */
export const BATCH: number = 1000
export const BATCH_BYTES: number = 8 * 1024 ** 2

/** The next messages, or the last of each subject of a pattern. */
export type DirectQuery = DirectBatchOptions | { multi_last: string[] }

/**
 * Messages of a stream, in one request.
 * @throws what the server says, or that it says nothing
 */
export async function directBatch(mesh: Mesh, stream: string, query: DirectQuery): Promise<DirectMessage[]> {
  return (await readDirect(mesh, stream, query, (message) => message)).read
}

/** What was read of each message, and of the last one its number, and whether nothing more was behind it then. */
export type DirectRead<T> = { read: T[]; lastSeq: number | undefined; isEnd: boolean }

/**
 * The same, each message read as it comes and let go of: a thousand that are kept until the last is there live long enough to
 * be moved twice by the garbage collector.
 */
export async function readDirect<T>(
  mesh: Mesh,
  stream: string,
  query: DirectQuery,
  read: (message: DirectMessage) => T,
): Promise<DirectRead<T>> {
  const found: T[] = []
  let lastSeq: number | undefined
  let pending = 0
  await directAnswers(mesh.nats, {
    stream,
    queries: [query],
    take(answer) {
      if ('code' in answer) {
        if (answer.code === END || answer.code === NOTHING) return true
        throw refused(stream, answer)
      }
      lastSeq = answer.seq
      pending = answer.pending
      found.push(read(answer))
      return false
    },
  })
  return { read: found, lastSeq, isEnd: pending === 0 }
}

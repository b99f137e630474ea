import { type Mesh, receivedHeaders, type StoredMessage } from '@malha/mesh'
import { type DirectBatchOptions, jetstreamManager, type StoredMsg } from '@nats-io/jetstream'

/** Messages read in one request at most, and their bytes: one may have a megabyte. */
export const BATCH: number = 1000
export const BATCH_BYTES: number = 8 * 1024 ** 2

/** For a server to send the next message of a batch: an election takes up to nine seconds. */
const SILENCE_MS = 15_000

/** Status of an answer: there is nothing (more) of it. */
const NOTHING = 404

/**
 * The next messages of a stream, in one request: no consumer is made, and nothing on the server changes.
 * The client's iterator leaves a subscription behind for each batch (@nats-io/jetstream 3.4), its callback does not.
 * @throws what the server says, or that it says nothing
 */
export async function directBatch(mesh: Mesh, stream: string, query: DirectBatchOptions): Promise<StoredMsg[]> {
  return (await readDirect(mesh, stream, query, (message) => message)).read
}

/** What was read of each message, and of the last one its number, and whether nothing more was behind it then. */
export type DirectRead<T> = { read: T[]; lastSeq: number | undefined; isEnd: boolean }

/**
 * The same, each message read as it comes and let go of: a thousand that are kept until the last is there live long enough to
 * be moved twice by the garbage collector, with all of their headers.
 */
export async function readDirect<T>(
  mesh: Mesh,
  stream: string,
  query: DirectBatchOptions,
  read: (message: StoredMsg) => T,
): Promise<DirectRead<T>> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const { promise, resolve, reject } = Promise.withResolvers<DirectRead<T>>()
  const found: T[] = []
  let lastSeq: number | undefined
  let pending = 0
  const giveUp = (): void => reject(new Error(`stream ${stream} did not give a batch of messages back in time`))
  const timer = setTimeout(giveUp, SILENCE_MS)
  const callback = (done: { err?: Error } | null, message: StoredMsg): void => {
    if (done?.err && (done.err as { code?: unknown }).code !== NOTHING) reject(done.err)
    else if (done) resolve({ read: found, lastSeq, isEnd: pending === 0 })
    else {
      lastSeq = message.seq
      pending = message.pending
      found.push(read(message))
      timer.refresh()
    }
  }
  const reading = await jsm.direct.getBatch(stream, { ...query, callback })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    reading.stop()
  }
}

/** The same as the mesh reads it from a stream's leader. */
export function asStored({ subject, seq, timestamp, header, data }: StoredMsg): StoredMessage {
  const pairs: [string, string][] = []
  for (const [name, values] of header) for (const value of values) pairs.push([name, value])
  return {
    subject,
    seq,
    time: timestamp,
    headers: receivedHeaders(header),
    pairs,
    payload: Buffer.from(data.buffer, data.byteOffset, data.length),
  }
}

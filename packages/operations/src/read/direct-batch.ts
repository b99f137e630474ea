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
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const { promise, resolve, reject } = Promise.withResolvers<StoredMsg[]>()
  const messages: StoredMsg[] = []
  const giveUp = (): void => reject(new Error(`stream ${stream} did not give a batch of messages back in time`))
  const timer = setTimeout(giveUp, SILENCE_MS)
  const callback = (done: { err?: Error } | null, message: StoredMsg): void => {
    if (done?.err && (done.err as { code?: unknown }).code !== NOTHING) reject(done.err)
    else if (done) resolve(messages)
    else {
      messages.push(message)
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

/** Whether nothing more is behind a batch, as of when it was read. */
export const isLast = (batch: readonly StoredMsg[]): boolean => batch.length === 0 || batch.at(-1)!.pending === 0

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

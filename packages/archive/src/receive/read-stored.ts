import { deniedSubject, directAnswers, type DirectMessage } from '@malha/mesh'
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { headersOf, type StoredMessage } from '../message/stored-message.ts'
import { nsOfTimestamp } from '../message/times.ts'
import { nextMessage } from './next-message.ts'

/** Messages of one request, and their bytes. */
const BATCH = 5_000
const BATCH_BYTES = 8 * 1024 ** 2
/** Asked of a leader at once: it gives each back in an answer of its own, a third larger than it is. */
const AT_ONCE = 200
/** Status of an answer: that was all, or there is nothing. */
const ENDS = [204, 404]

export type StoredSource = {
  readonly nats: NatsConnection
  readonly jsm: JetStreamManager
  readonly stream: string
  /** Whether the stream has `allow_direct`: then its replicas give back many in one request. */
  readonly isDirect: boolean
}

/** Messages in their order; there are no others up to `until`. */
export type StoredBatch<T> = { readonly read: readonly T[]; readonly until: number }

/**
 * The next messages behind `after`, up to `upTo` or beyond. No consumer is made, and nothing on the server changes. Needs
 * `$JS.API.STREAM.MSG.GET.<stream>` and, where the stream has `allow_direct`, `$JS.API.DIRECT.GET.<stream>`.
 * @throws what the server says, or that it says nothing: a right to ask directly that is missing is silence
 */
export async function readStored<T>(
  source: StoredSource,
  { after, upTo }: { after: number; upTo: number },
  read: (message: StoredMessage) => T,
): Promise<StoredBatch<T>> {
  if (source.isDirect) {
    const batch = await fromReplica(source, after, read)
    if (batch.read.length > 0) return batch
  }
  // A replica may not have the last ones yet.
  return await fromLeader(source, { after, upTo }, read)
}

/** @throws PermissionViolationError where this user may not ask replicas: he would wait for each batch in vain */
export async function checkMayReadDirect(nats: NatsConnection, stream: string): Promise<void> {
  try {
    await nats.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify({ seq: Number.MAX_SAFE_INTEGER }))
  } catch (error) {
    if (deniedSubject(error) !== undefined) throw error // any other passes, or is told when it is read
  }
}

async function fromReplica<T>(
  { nats, stream }: StoredSource,
  after: number,
  read: (message: StoredMessage) => T,
): Promise<StoredBatch<T>> {
  const found: T[] = []
  let until = after
  await directAnswers(nats, {
    stream,
    queries: [{ seq: after + 1, batch: BATCH, max_bytes: BATCH_BYTES }],
    take(answer) {
      if ('code' in answer) {
        if (ENDS.includes(answer.code)) return true
        throw new Error(`${answer.code} ${answer.description}`)
      }
      const before = answer.headers.last('Nats-Last-Sequence')
      // One that got lost on the way would be taken for one that is deleted.
      if (before !== undefined && Number(before) !== (found.length === 0 ? 0 : until))
        throw new Error(`message ${before} did not arrive`)
      until = answer.seq
      found.push(read(ofReplica(answer)))
      return false
    },
  })
  return { read: found, until }
}

async function fromLeader<T>(
  { jsm, stream }: StoredSource,
  { after, upTo }: { after: number; upTo: number },
  read: (message: StoredMessage) => T,
): Promise<StoredBatch<T>> {
  const next = await nextMessage(jsm, stream, after)
  if (next === null || next.seq > upTo) return { read: [], until: upTo }
  const until = Math.min(next.seq + AT_ONCE - 1, upTo)
  const behind = Array.from({ length: until - next.seq }, (_, n) =>
    jsm.streams.getMessage(stream, { seq: next.seq + 1 + n }),
  )
  const messages = [next, ...(await Promise.all(behind))].filter((message) => message !== null)
  return { read: messages.map((message) => read(ofLeader(message))), until }
}

function ofReplica({ seq, subject, timestamp, headers, data }: DirectMessage): StoredMessage {
  // A header may be called `constructor`.
  const byName = Object.create(null) as Record<string, string[]>
  for (const [name, value] of headers.pairs()) (byName[name] ??= []).push(value)
  return { seq, subject, storedAtNs: nsOfTimestamp(timestamp), headers: byName, payload: data }
}

const ofLeader = (message: StoredMsg): StoredMessage => ({
  seq: message.seq,
  subject: message.subject,
  storedAtNs: nsOfTimestamp(message.timestamp),
  headers: headersOf(() => message.header),
  payload: message.data,
})

import { getStored, type Mesh, type ReceivedHeaders, receivedHeaders } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { PatternsError } from '../errors.ts'
import { reading } from './records.ts'

/** A message as it stands in its stream. */
export type StoredEvent = {
  readonly subject: string
  readonly seq: number
  readonly headers: ReceivedHeaders
  readonly payload: Uint8Array
}

export type Stretch = {
  /** With the namespace. */
  stream: string
  /** A subject pattern with the namespace. */
  subjects: string
  /** The first sequence. */
  from: number
  /** The sequence of the last message of these subjects. */
  to: number
}

/** Messages asked for at once. */
const BATCH = 256

/**
 * The messages of a stretch of a stream, in order. Any replica gives what it has, many at a time; what it lacks comes from
 * the stream's leader, so that nothing is missing. Needs `$JS.API.STREAM.MSG.GET.<stream>`, and is much faster with
 * `$JS.API.DIRECT.GET.<stream>`.
 * @throws PatternsError PATTERNS_STORE_UNAVAILABLE also where it ends before the message at `to`: whoever was asked does not
 * lead the stream any more and lacks its end, or the message has just left it; `to` is to be asked for again
 */
export async function* readForward(mesh: Mesh, { stream, subjects, from, to }: Stretch): AsyncGenerator<StoredEvent> {
  let next = from
  while (next <= to) {
    const some = await manyFrom(mesh, { stream, subjects, from: next, to })
    const found = some.length > 0 ? some : await oneFrom(mesh, { stream, subjects, from: next, to })
    if (found.length === 0)
      throw new PatternsError(
        'PATTERNS_STORE_UNAVAILABLE',
        `stream ${stream} was to have a message of ${subjects} at ${to}, and gives none behind ${next - 1}; that is tried again`,
      )
    yield* found
    next = found.at(-1)!.seq + 1
  }
}

/** What the leader has next. */
async function oneFrom(mesh: Mesh, { stream, subjects, from, to }: Stretch): Promise<StoredEvent[]> {
  const found = await reading(`stream ${stream}`, getStored(mesh.nats, stream, { seq: from, next_by_subj: subjects }))
  return found && found.seq <= to ? [found] : []
}

/** What some replica has; nothing where it has nothing, cannot say it, or says what this client cannot read. */
async function manyFrom(mesh: Mesh, { stream, subjects, from, to }: Stretch): Promise<StoredEvent[]> {
  const many: StoredEvent[] = []
  try {
    const { direct } = await jetstreamManager(mesh.nats, { checkAPI: false })
    const batch = await direct.getBatch(stream, { seq: from, next_by_subj: subjects, batch: BATCH })
    for await (const { seq, subject, header, data } of whole(batch)) {
      if (seq > to) break
      many.push({ seq, subject, headers: receivedHeaders(header), payload: data })
    }
  } catch {
    // Up to where it went wrong it is right; the leader has the rest.
  }
  return many
}

/**
 * A batch as far as it is whole: each message names the one the server sent before it, 0 at the first. One that is lost on
 * its way, at a reconnect for instance, would look as if it had never been there.
 */
export async function* whole<T extends { readonly seq: number; readonly lastSequence: number }>(
  batch: AsyncIterable<T>,
): AsyncGenerator<T> {
  let before = 0
  for await (const message of batch) {
    if (message.lastSequence !== before) return
    yield message
    before = message.seq
  }
}

import { MeshError } from '../../errors.ts'
import { decodeAttribute, HEADER } from '../../message/headers.ts'
import { IdConflict, isSame, type Outgoing, type PublisherDeps } from '../publisher.ts'
import { getStored, type StoredMessage } from '../stored-message.ts'

/**
 * Whether an event that was sent without an answer is in its stream, behind the sequence `after`. By its subject, one
 * message at a time: what came to that subject since is few, because the broker was away.
 * @throws MeshError MESH_ID_CONFLICT when its id names something else there; MESH_PUBLISH_TIMEOUT when nobody answers
 */
export async function isStored(deps: PublisherDeps, out: Outgoing, after: number): Promise<boolean> {
  for (let seq = after + 1; ;) {
    const found = await read(deps, out.stream, { seq, next_by_subj: out.subject })
    if (found === undefined) return false
    if (decodeAttribute(found.headers[HEADER.id] ?? '') === out.envelope.id) {
      if (!isSame(found, out)) throw new IdConflict(out, found)
      return true
    }
    seq = found.seq + 1
  }
}

/** The last sequence of a stream; 0 when it is empty, or not there. @throws MeshError MESH_PUBLISH_TIMEOUT when nobody answers */
export async function lastSequence(deps: PublisherDeps, stream: string): Promise<number> {
  return (await read(deps, stream, { last_by_subj: '>' }))?.seq ?? 0
}

async function read(
  { nc }: PublisherDeps,
  stream: string,
  query: Parameters<typeof getStored>[2],
): Promise<StoredMessage | undefined> {
  try {
    return await getStored(nc, stream, query)
  } catch (cause) {
    const isDenied = cause instanceof Error && /permissions violation/i.test(cause.message)
    const why = isDenied
      ? `this user may not publish on $JS.API.STREAM.MSG.GET.${stream}; allow it`
      : 'the server did not answer'
    throw new MeshError('MESH_PUBLISH_TIMEOUT', `what ${stream} holds already cannot be read: ${why}`, { cause })
  }
}

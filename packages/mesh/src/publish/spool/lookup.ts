import { decodeAttribute, HEADER } from '../../message/headers.ts'
import { IdConflict, isSame, type Outgoing, type PublisherDeps, readBack } from '../publisher.ts'

/**
 * Whether an event that was sent without an answer is in its stream, behind the sequence `after`. By its subject, one
 * message at a time: what came to that subject since is few, because the broker was away.
 * @throws MeshError MESH_ID_CONFLICT when its id names something else there; MESH_PUBLISH_TIMEOUT when nobody answers
 */
export async function isStored(deps: PublisherDeps, out: Outgoing, after: number): Promise<boolean> {
  for (let seq = after + 1; ;) {
    const found = await readBack(deps, out.stream, { seq, next_by_subj: out.subject })
    if (found === undefined) return false
    if (decodeAttribute(found.headers[HEADER.id] ?? '') === out.envelope.id) {
      if (!isSame(found, out)) throw new IdConflict(out, found)
      return true
    }
    seq = found.seq + 1
  }
}

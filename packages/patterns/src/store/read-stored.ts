import { getStored, type Mesh, type StoredMessage } from '@malha/mesh'

/** Readers at once: what costs is the way to the server and back. */
const READERS = 8

/**
 * The messages of a stream between two sequences (inclusive) that match a subject pattern, as the stream's leader has
 * them; in no order. Names with their namespace. Needs `$JS.API.STREAM.MSG.GET.<stream>`.
 */
export async function* readStored(
  mesh: Mesh,
  { stream, subjects, from, to }: { stream: string; subjects: string; from: number; to: number },
): AsyncGenerator<StoredMessage> {
  const size = Math.ceil((to - from + 1) / READERS)
  if (size <= 0) return
  const parts = Array.from({ length: READERS }, (_, index) => ({
    from: from + index * size,
    to: Math.min(to, from + (index + 1) * size - 1),
  }))
  const next = async (part: { from: number; to: number }): Promise<StoredMessage | undefined> => {
    if (part.from > part.to) return undefined
    const found = await getStored(mesh.nats, stream, { seq: part.from, next_by_subj: subjects })
    if (!found || found.seq > part.to) return undefined
    part.from = found.seq + 1
    return found
  }
  const reading = new Map(parts.map((part) => [part, next(part).then((found) => ({ part, found }))]))
  // A reader that fails while another is awaited must not count as unhandled.
  for (const one of reading.values()) one.catch(() => undefined)
  while (reading.size > 0) {
    const { part, found } = await Promise.race(reading.values())
    if (!found) {
      reading.delete(part)
      continue
    }
    const following = next(part).then((more) => ({ part, found: more }))
    following.catch(() => undefined)
    reading.set(part, following)
    yield found
  }
}

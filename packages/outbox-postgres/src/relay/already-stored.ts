import { decodeAttribute, getStored, HEADER, type Mesh, type PreparedEvent } from '@malha/mesh'
import type { Claimed, Position } from './table.ts'

/** A row that holds an event. */
export type Sendable = Claimed & { readonly event: PreparedEvent }

/** Subjects that are walked at once. */
const WALKS = 16

/**
 * Which of these rows are in the stream already. Asked for rows that were sent before without a word of how it ended: the
 * server's own memory of ids ends with the stream's duplicate window, and a relay may be away for longer. Each subject is
 * read from where the stream stood before the first try, so that no clock matters.
 * @throws Error when the server does not answer
 */
export async function alreadyStored(
  mesh: Mesh,
  { stream, rows, position }: { stream: string; rows: readonly Sendable[]; position: Position },
): Promise<Set<number>> {
  const bySubject = Map.groupBy(rows, (row) => row.event.subject)
  const walks = [...bySubject]
  const found = new Set<number>()
  const walker = async (): Promise<void> => {
    for (let next = walks.pop(); next; next = walks.pop()) {
      const [subject, wanted] = next
      for (const id of await walk(mesh, { stream, subject, wanted, position })) found.add(id)
    }
  }
  await Promise.all(Array.from({ length: Math.min(WALKS, walks.length) }, walker))
  return found
}

type Walk = { stream: string; subject: string; wanted: readonly Sendable[]; position: Position }

async function walk(mesh: Mesh, { stream, subject, wanted, position }: Walk): Promise<number[]> {
  const missing = new Map(wanted.map((row) => [row.event.envelope.id, row.id]))
  const found: number[] = []
  // A stream that was made again counts from 1 again.
  const starts = wanted.map((row) => (row.triedEpoch === position.epoch ? row.triedAfter + 1 : 1))
  const [name, filter] = [mesh.names.stream(stream), mesh.names.subject(subject)]
  const query = { seq: Math.min(...starts), next_by_subj: filter }
  // No further than what is there now: others may publish there faster than it can be read. What is still on its way
  // the server knows by its id.
  const last = await getStored(mesh.nats, name, { last_by_subj: filter })
  while (missing.size > 0 && query.seq <= (last?.seq ?? 0)) {
    const stored = await getStored(mesh.nats, name, query)
    if (!stored) break
    const id = decodeAttribute(stored.headers[HEADER.id] ?? '')
    const row = missing.get(id)
    if (row !== undefined) found.push(row)
    missing.delete(id)
    query.seq = stored.seq + 1
  }
  return found
}

import type { Mesh, OperationRecord } from '@malha/mesh'
import { directBatch } from '../read/direct-batch.ts'
import { streamNow } from '../read/read-on.ts'
import { recordIn } from './follow.ts'

/** Records of one letter that are read at most: each redrive makes two. */
const MOST = 200

/** What was done with a letter, the oldest first; `letter` is its subject. */
export async function historyOf(mesh: Mesh, letter: string): Promise<OperationRecord[]> {
  const now = await streamNow(mesh, mesh.names.operations())
  if (!now || now.info.state.messages === 0) return []
  const query = { seq: 1, next_by_subj: mesh.names.letterRecord(letter), batch: MOST }
  const records = await directBatch(mesh, now.name, query)
  return records.map(({ data }) => recordIn(data))
}

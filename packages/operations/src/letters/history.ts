import type { Mesh, OperationRecord } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { streamNow } from '../read/read-on.ts'

/** Records of one letter that are read at most: each redrive makes two. */
const MOST = 200

/** What was done with a letter, the oldest first; `letter` is its subject. */
export async function historyOf(mesh: Mesh, letter: string): Promise<OperationRecord[]> {
  const now = await streamNow(mesh, mesh.names.operations())
  if (!now || now.info.state.messages === 0) return []
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const query = { seq: 1, next_by_subj: mesh.names.letterRecord(letter), batch: MOST }
  const records: OperationRecord[] = []
  try {
    for await (const { data } of await jsm.direct.getBatch(now.name, query))
      records.push(JSON.parse(Buffer.from(data).toString()) as OperationRecord)
  } catch (error) {
    // So the server says that there is none on this subject.
    if (!(error instanceof Error && /message not found/i.test(error.message))) throw error
  }
  return records
}

/** A message that is done although its letter says that it is not. */
import type { Delivery } from '../consume/delivery.ts'
import { MeshError } from '../errors.ts'
import { HEADER } from '../message/headers.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import { isStored } from '../read/stored-message.ts'
import { provisionOperations } from '../topology/provision.ts'
import { lastRecord, type OperationRecord, type RecordDeps } from './record.ts'

export type LateDeps = RecordDeps & { durable: string; instance: string }

const WRITE_MS = 30_000
/** Others may write about the same letter at this moment. */
const ATTEMPTS = 5
/** Somebody has said already what is to be, or nothing is. */
export const SETTLED: ReadonlySet<OperationRecord['kind']> = new Set(['ok', 'discarded', 'late'])

/**
 * Where a letter of the message is stored, writes beside it that the message is done after all: it is not sent again then.
 * Returns whether it did.
 * @throws what the server said, or did not say
 */
export async function tellLate(deps: LateDeps, { source }: Delivery): Promise<boolean> {
  const { nc, names, durable } = deps
  const letter = names.deadLetter(durable, source)
  if (!(await isStored(nc, names.stream('DEAD_LETTERS'), letter))) return false
  const subject = names.letterRecord(names.strip(letter))
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const last = await lastRecord(deps, subject)
    if (last && SETTLED.has(last.record.kind)) return false
    if (await append(deps, subject, last?.seq ?? 0)) return true
  }
  throw new Error(`others keep writing about the letter ${letter}`)
}

/** False where another record came first. */
async function append(deps: LateDeps, subject: string, expected: number): Promise<boolean> {
  const { nc, names, pipeline, instance } = deps
  const record: OperationRecord = { v: 1, kind: 'late', by: instance, at: new Date().toISOString() }
  const write = async (hasty: boolean): Promise<boolean> => {
    await pipeline.publish({
      subject,
      payload: Buffer.from(JSON.stringify(record)),
      headers: [[HEADER.expectedLastSubjectSequence, String(expected)]],
      timeoutMs: WRITE_MS,
      hasty,
    })
    return true
  }
  try {
    return await write(true)
  } catch (error) {
    if (error instanceof PublishRefused && error.errCode === ERR_CODE.wrongLastSequence) return false
    if (!(error instanceof MeshError) || error.code !== 'MESH_NO_STREAM') throw error
    // No run was ever begun here.
    await provisionOperations({ nats: nc, names })
    return await write(false)
  }
}

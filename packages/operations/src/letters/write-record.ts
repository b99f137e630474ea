import type { Mesh, OperationRecord } from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream'
import type { ListedLetter } from './letter-row.ts'

/** Writes what becomes of a letter behind the last record known of it. False where another record came first: nothing is written. */
export async function writeRecord(
  { nats, names }: Mesh,
  { subject, recordSeq }: Pick<ListedLetter, 'subject' | 'recordSeq'>,
  record: OperationRecord,
): Promise<boolean> {
  const expect = { lastSubjectSequence: recordSeq }
  try {
    await jetstream(nats, { checkAPI: false }).publish(names.letterRecord(subject), JSON.stringify(record), { expect })
    return true
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence) return false
    throw error
  }
}

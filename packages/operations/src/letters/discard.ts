import { type Mesh, type OperationRecord, provisionOperations } from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { catchUp } from './follow.ts'
import type { LetterIndex, ListedLetter } from './letter-index.ts'

export type Decided = { who: string; reason: string }

/**
 * Says of an open letter that it need not be done, or of a discarded one that it must be after all.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_LETTER_GONE | OPERATIONS_LETTER_MOVED
 */
export async function decide(
  { mesh, index }: { mesh: Mesh; index: LetterIndex },
  seq: number,
  { kind, who, reason }: Decided & { kind: 'discarded' | 'reopened' },
): Promise<ListedLetter> {
  if (who.trim() === '' || reason.trim() === '')
    throw new OperationsError('OPERATIONS_INVALID_OPTIONS', 'who and reason must say something: others will read them')
  await provisionOperations(mesh)
  await catchUp(mesh, index)
  const letter = index.letter(seq)
  if (!letter) throw new OperationsError('OPERATIONS_LETTER_GONE', `letter ${seq} is not in its stream (any more)`)
  const from = kind === 'discarded' ? 'open' : 'discarded'
  if (letter.state !== from) throw moved(letter)
  const record: OperationRecord = { v: 1, kind, who, reason, at: new Date().toISOString() }
  try {
    await jetstream(mesh.nats, { checkAPI: false }).publish(
      mesh.names.letterRecord(letter.subject),
      JSON.stringify(record),
      {
        expect: { lastSubjectSequence: letter.recordSeq },
      },
    )
  } catch (error) {
    const isLate = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence
    throw isLate ? moved(letter) : error
  }
  await catchUp(mesh, index)
  return index.letter(seq)!
}

function moved({ seq, state }: ListedLetter): OperationsError {
  return new OperationsError(
    'OPERATIONS_LETTER_MOVED',
    `letter ${seq} is ${state}, or somebody dealt with it at this moment; nothing was written`,
  )
}

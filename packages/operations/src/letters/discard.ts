import { type OperationRecord, provisionOperations } from '@malha/mesh'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { catchUp } from './follow.ts'
import type { LetterIndex } from './letter-index.ts'
import type { ListedLetter } from './letter-row.ts'
import { holdsKey } from './holds-key.ts'
import { tellHandler } from './tell-handler.ts'
import { writeRecord } from './write-record.ts'

/** Who decides, and on what. */
export type Decision = Actor & {
  /** `recordSeq` of the letter that was looked at: who decides on what has changed since is told, and nothing is written. */
  seen?: number | undefined
}

type Kind = 'discarded' | 'reopened'

const DECISIONS = {
  discarded: { action: 'letter.discard', from: ['open'], to: 'discarded' },
  reopened: { action: 'letter.reopen', from: ['discarded', 'late'], to: 'open' },
} as const

/**
 * Says of an open letter that it need not be done, or of one that is discarded or late that it must be after all.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_LETTER_GONE | OPERATIONS_LETTER_MOVED | OPERATIONS_NOT_AUDITED
 */
export async function decide(
  { desk, index }: { desk: Desk; index: LetterIndex },
  seq: number,
  { kind, who, reason = '', seen }: Decision & { kind: Kind },
): Promise<ListedLetter> {
  checkActor({ who, reason }, { needsReason: true })
  const { mesh } = desk
  await catchUp(mesh, index)
  const letter = index.letter(seq)
  if (!letter) throw new OperationsError('OPERATIONS_LETTER_GONE', `letter ${seq} is not in its stream (any more)`)
  const { action, from, to } = DECISIONS[kind]
  const act = { action, who, reason, target: letter.subject, before: { state: letter.state }, after: { state: to } }
  await audited(desk, act, async () => {
    if (!from.some((state) => state === letter.state) || (seen !== undefined && seen !== letter.recordSeq))
      throw moved(letter)
    await provisionOperations(mesh)
    const record: OperationRecord = { v: 1, kind, who, reason, at: new Date().toISOString() }
    if (!(await writeRecord(mesh, letter, record))) throw moved(letter)
  })
  const { service, handler } = letter
  if (service && handler && (await holdsKey(mesh, letter))) tellHandler(mesh, { service, handler })
  await catchUp(mesh, index)
  return index.letter(seq)!
}

export function moved({ seq, state }: { seq: number; state: string }): OperationsError {
  return new OperationsError(
    'OPERATIONS_LETTER_MOVED',
    `letter ${seq} is ${state}, or somebody dealt with it at this moment; nothing was written`,
  )
}

/** A letter, and how it stands, as the index keeps them. */
import type { LetterRow } from './letter-filter.ts'
import type { Letter, LetterState } from './letter.ts'

/** What is known of a letter from the records about it. */
export type Standing = {
  readonly state: LetterState
  /** Sequence of the last record about it; 0: none. */
  readonly recordSeq: number
  /** Sequence of the record of its latest edit; 0: none. */
  readonly editSeq: number
  /** There was nothing left to send of it when a run came to it. */
  readonly isGone: boolean
  /** The last run that had it. */
  readonly run: string | undefined
  /** How often it was sent again. */
  readonly redrives: number
}

/** A letter with where it stands now. */
export type ListedLetter = Letter & Standing

/** Of a letter that nothing was done with. */
export const OPEN: Standing = { state: 'open', recordSeq: 0, editSeq: 0, isGone: false, run: undefined, redrives: 0 }

/** Values of the table `letters`, in its order. */
export function rowOf(letter: Letter, standing: Standing = OPEN): (string | number | null)[] {
  const { seq, subject, at, service, handler, code, errorClass, group, groupReason, id, key } = letter
  const said = [
    seq,
    subject,
    at,
    service,
    handler,
    code,
    errorClass,
    group,
    groupReason,
    id,
    key,
    JSON.stringify(letter),
    letter.kind,
  ]
  const { state, recordSeq, editSeq, isGone, run, redrives } = standing
  return [...said, state, recordSeq, editSeq, Number(isGone), run, redrives].map((value) => value ?? null)
}

export type StandingRow = Pick<LetterRow, 'state' | 'record_seq' | 'edit_seq' | 'is_gone' | 'run' | 'redrives'>

export function standingIn({
  state,
  record_seq: recordSeq,
  edit_seq: editSeq,
  is_gone: isGone,
  run,
  redrives,
}: StandingRow): Standing {
  return { state, recordSeq, editSeq, isGone: isGone === 1, run: run ?? undefined, redrives }
}

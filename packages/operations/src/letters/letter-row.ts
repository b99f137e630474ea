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

/** The same without what it says, which is most of what would have to be read. */
export type BriefLetter = Pick<Letter, 'seq' | 'kind' | 'service' | 'handler' | 'payloadBytes'> & Standing

/** Of a letter that nothing was done with. */
export const OPEN: Standing = { state: 'open', recordSeq: 0, editSeq: 0, isGone: false, run: undefined, redrives: 0 }

type Row = (string | number | null)[]

/** What has a column of its own is left out of a letter's text. */
const IN_COLUMNS = {
  seq: undefined,
  subject: undefined,
  kind: undefined,
  at: undefined,
  code: undefined,
  errorClass: undefined,
  group: undefined,
  groupReason: undefined,
  service: undefined,
  handler: undefined,
  id: undefined,
  key: undefined,
  payloadBytes: undefined,
} satisfies Partial<Record<keyof Letter, undefined>>

/** Values of the table `letters`, in its order. */
export function letterRow(letter: Letter): Row {
  const { seq, subject, id, key } = letter
  return row(seq, subject, id, key, JSON.stringify({ ...letter, ...IN_COLUMNS }))
}

/** Values of the table `reasons`, in its order. */
export function reasonRow({ group, service, handler, code, errorClass, groupReason }: Letter): Row {
  return row(group, service, handler, code, errorClass, groupReason)
}

/** Values of the table `states`, in its order. */
export function stateRow(letter: Letter, standing: Standing = OPEN): Row {
  const { seq, at, service, handler, code, group, kind, payloadBytes } = letter
  const { state, recordSeq, editSeq, isGone, run, redrives } = standing
  const said = [seq, at, service, handler, code, group, kind, payloadBytes] as const
  return row(...said, state, recordSeq, editSeq, Number(isGone), run, redrives)
}

const row = (...values: (string | number | undefined)[]): Row => values.map((value) => value ?? null)

export function letterIn(row: LetterRow): Letter {
  const { seq, subject, at, kind, service, handler, code, error_class, grp, grp_reason, event_id, event_key } = row
  return {
    seq,
    subject,
    kind,
    at,
    code,
    errorClass: error_class ?? undefined,
    group: grp,
    groupReason: grp_reason,
    service: service ?? undefined,
    handler: handler ?? undefined,
    id: event_id ?? undefined,
    key: event_key ?? undefined,
    payloadBytes: row.payload_bytes,
    ...(JSON.parse(row.letter) as Omit<Letter, keyof typeof IN_COLUMNS>),
  }
}

/** The columns of a letter in brief. */
export const BRIEF = [
  'seq',
  'kind',
  'service',
  'handler',
  'payload_bytes',
  'state',
  'record_seq',
  'edit_seq',
  'is_gone',
  'run',
  'redrives',
] as const

export type BriefRow = Pick<LetterRow, (typeof BRIEF)[number]>

export function briefIn(row: BriefRow): BriefLetter {
  const { seq, kind, service, handler, payload_bytes: payloadBytes } = row
  return { seq, kind, service: service ?? undefined, handler: handler ?? undefined, payloadBytes, ...standingIn(row) }
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

import type { OperationRecord } from '@malha/mesh'
import type { Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { decide, type Decision } from './discard.ts'
import { edit, type Edited, type EditOptions, withEdit } from './edit.ts'
import { catchUp } from './follow.ts'
import { holdsKey } from './holds-key.ts'
import { historyOf } from './history.ts'
import type { Letter } from './letter.ts'
import type { LetterFilter, LetterPage } from './letter-filter.ts'
import type { LetterGroup, LetterIndex } from './letter-index.ts'
import type { ListedLetter } from './letter-row.ts'
import { readWhole, type WholeLetter } from './read-whole.ts'

export type LetterList = {
  /** The newest first. */
  readonly letters: readonly ListedLetter[]
  /** The largest first, at most 100, of all letters that fit the filter, not of this page alone. */
  readonly groups: readonly LetterGroup[]
  /** How many fit the filter. */
  readonly total: number
  /** `after` of the next page; undefined at the end. */
  readonly next: number | undefined
}

/** The dead letters of a mesh, to look through. Reading changes nothing on the server. */
export interface Letters {
  /**
   * Reads what was written since; `onRead` is told how far it is. Returns how many letters that were.
   * @throws OperationsError OPERATIONS_NO_LETTERS
   */
  refresh(onRead?: (until: number) => void): Promise<number>
  /** As of the last refresh. @throws OperationsError OPERATIONS_INVALID_OPTIONS */
  list(filter?: LetterFilter, page?: LetterPage): LetterList
  /**
   * One letter, read from the stream: by its number or its subject.
   * @throws OperationsError OPERATIONS_LETTER_GONE
   */
  read(letter: number | string): Promise<WholeLetter>
  /** Whether later events of its key wait for it (`onDeadLetter: 'hold-key'`); null where this user may not know. */
  holdsKey(letter: Letter): Promise<boolean | null>
  /** What was done with a letter, by its subject: the oldest first, 200 at most. */
  history(subject: string): Promise<OperationRecord[]>
  /**
   * Says of an open letter that it need not be done; it stays where it is. Needs a reason.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_LETTER_GONE | OPERATIONS_LETTER_MOVED | OPERATIONS_NOT_AUDITED
   */
  discard(seq: number, decision: Decision): Promise<ListedLetter>
  /**
   * Corrects the payload of an open letter; `dryRun` only says what that would change. The letter stays as it is; from now on it is sent with the correction.
   * @throws OperationsError OPERATIONS_EDIT_REFUSED, and those of `discard`
   */
  edit(seq: number, options: EditOptions): Promise<Edited>
  /** What would be sent of a letter: its payload with the latest correction. As of the last refresh. @throws as `read` */
  payloadToSend(seq: number): Promise<Uint8Array>
  /** Says of a letter that is discarded or late that it must be done; with the same errors. */
  reopen(seq: number, decision: Decision): Promise<ListedLetter>
}

const MOST_GROUPS = 100
const MOST_LETTERS = 1000

export function lettersOf(desk: Desk, index: LetterIndex): Letters {
  const { mesh } = desk
  return {
    refresh: (onRead) => catchUp(mesh, index, onRead),
    list(filter = {}, page = {}) {
      checkPage(page)
      return { ...index.page(filter, page), groups: index.groups(filter, MOST_GROUPS), total: index.count(filter) }
    },
    read: (letter) => readWhole(mesh, letter),
    edit: (seq, options) => edit({ desk, index }, seq, options),
    async payloadToSend(seq) {
      const whole = await readWhole(mesh, seq)
      const letter = index.letter(seq)
      return letter ? (await withEdit(mesh, letter, whole)).payload : whole.payload
    },
    holdsKey: (letter) => holdsKey(mesh, letter),
    history: (subject) => historyOf(mesh, subject),
    discard: (seq, decision) => decide({ desk, index }, seq, { ...decision, kind: 'discarded' }),
    reopen: (seq, decision) => decide({ desk, index }, seq, { ...decision, kind: 'reopened' }),
  }
}

function checkPage({ limit, after }: LetterPage): void {
  const isWithin = (value: number | undefined, most: number): boolean =>
    value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)
  if (!isWithin(limit, MOST_LETTERS))
    throw new OperationsError(
      'OPERATIONS_INVALID_OPTIONS',
      `limit is ${limit}; a whole number from 1 to ${MOST_LETTERS}`,
    )
  if (!isWithin(after, Number.MAX_SAFE_INTEGER))
    throw new OperationsError('OPERATIONS_INVALID_OPTIONS', `after is ${after}; what the page before gave as next`)
}

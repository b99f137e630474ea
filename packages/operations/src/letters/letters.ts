import type { OperationRecord } from '@malha/mesh'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { decide, type Decision } from './discard.ts'
import { shownHistory } from '../redaction/hidden-values.ts'
import type { Sensitivity } from '../redaction/sensitivity.ts'
import { edit, type Edited, type EditOptions, refused, withEdit } from './edit.ts'
import { catchUp } from './follow.ts'
import { holdsKey } from './holds-key.ts'
import { historyOf } from './history.ts'
import type { Letter } from './letter.ts'
import type { LetterFilter, LetterPage } from './letter-filter.ts'
import type { LetterGroup, LetterIndex } from './letter-index.ts'
import type { ListedLetter } from './letter-row.ts'
import { describedBy, readWhole, type ShownLetter, shownLetter } from './read-whole.ts'

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
   * One letter, read from the stream: by its number or its subject. What its contract marks as sensitive is hidden.
   * @throws OperationsError OPERATIONS_LETTER_GONE
   */
  read(letter: number | string): Promise<ShownLetter>
  /**
   * The same with all that it has. Needs a reason; audited as `letter.reveal`.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_LETTER_GONE | OPERATIONS_NOT_AUDITED
   */
  reveal(letter: number | string, actor: Actor): Promise<ShownLetter>
  /** Whether later events of its key wait for it (`onDeadLetter: 'hold-key'`); null where this user may not know. */
  holdsKey(letter: Letter): Promise<boolean | null>
  /** What was done with a letter, by its subject: the oldest first, 200 at most; corrections without what is sensitive. @throws as `read` where it was corrected */
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
  /**
   * What would be sent of a letter: its payload with the latest correction, to be edited. What is sensitive in it is hidden, and
   * `edit` puts it back. As of the last refresh.
   * @throws as `read`, and OPERATIONS_EDIT_REFUSED where all of it is hidden
   */
  payloadToSend(seq: number): Promise<Uint8Array>
  /** Says of a letter that is discarded or late that it must be done; with the same errors. */
  reopen(seq: number, decision: Decision): Promise<ListedLetter>
}

const MOST_GROUPS = 100
const MOST_LETTERS = 1000

export function lettersOf(desk: Desk, index: LetterIndex, sensitivity: () => Promise<Sensitivity>): Letters {
  const { mesh } = desk
  return {
    refresh: (onRead) => catchUp(mesh, index, onRead),
    list(filter = {}, page = {}) {
      checkPage(page)
      return { ...index.page(filter, page), groups: index.groups(filter, MOST_GROUPS), total: index.count(filter) }
    },
    read: async (letter) => shownLetter(mesh, await sensitivity(), await readWhole(mesh, letter)),
    async reveal(letter, { who, reason }) {
      checkActor({ who, reason }, { needsReason: true })
      const whole = await readWhole(mesh, letter)
      const act = { action: 'letter.reveal', who, reason, target: whole.subject, before: null, after: null } as const
      return await audited(desk, act, async () => ({ ...whole, redaction: { hidden: 0, withheld: undefined } }))
    },
    edit: (seq, options) => edit({ desk, index, sensitivity }, seq, options),
    async payloadToSend(seq) {
      const whole = await readWhole(mesh, seq)
      const letter = index.letter(seq)
      const { payload: sent } = letter ? await withEdit(mesh, letter, whole) : whole
      const { payload, withheld } = (await sensitivity()).show({ ...describedBy(mesh.names, whole), payload: sent })
      if (withheld !== undefined) throw refused(`its payload is hidden, so give all of a new one: ${withheld}`)
      return payload
    },
    async history(subject) {
      const records = await historyOf(mesh, subject)
      if (!records.some(({ kind }) => kind === 'edited')) return records
      const event = describedBy(mesh.names, await readWhole(mesh, subject))
      return shownHistory(await sensitivity(), event, records)
    },
    holdsKey: (letter) => holdsKey(mesh, letter),
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

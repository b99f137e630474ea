/**
 * Which letters were looked at, and of which people are still to be told: one record of all notifiers.
 *
 * L1  A letter is counted by one notifier: `until` and what is owed are written together, by compare-and-set.
 * L2  What is owed stays there until it was told. With too many groups owed no more letters are read, and none is passed over.
 */
import { isObject } from '@malha/mesh'
import type { Letter } from '../letters/letter.ts'
import type { LettersNotice } from './notice.ts'
import type { RecordBucket } from './record-bucket.ts'

/** Letters of a group that nobody was told of. `first` and `last` are numbers of letters. */
export type Owed = Pick<LettersNotice, 'service' | 'handler' | 'code' | 'reason' | 'letters' | 'firstAt' | 'lastAt'> & {
  readonly first: number
  readonly last: number
}

export type Ledger = {
  readonly v: 1
  /** Of the stream of letters: another one when it was made anew. */
  readonly life: string
  /** All letters up to this one were looked at. */
  readonly until: number
  readonly owed: Readonly<Record<string, Owed>>
}

export type StoredLedger = { readonly ledger: Ledger; readonly revision: number }

/** A letter, and when the server stored it. */
export type CountedLetter = Pick<Letter, 'seq' | 'group' | 'service' | 'handler' | 'code' | 'groupReason'> & {
  readonly storedAt: string
}

const KEY = 'letters'
/** Groups owed at once. A record of so many has some two hundred kilobytes. */
const MOST_OWED = 200
const LONGEST_TEXT = 300

export async function readLedger(bucket: RecordBucket): Promise<StoredLedger | undefined> {
  const stored = await bucket.read(KEY)
  return stored && isLedger(stored.value) ? { ledger: stored.value, revision: stored.revision } : undefined
}

/** Undefined where somebody else wrote it meanwhile. */
export async function writeLedger(
  bucket: RecordBucket,
  ledger: Ledger,
  revision: number,
): Promise<StoredLedger | undefined> {
  const written = await bucket.write(KEY, ledger, { revision })
  return written === undefined ? undefined : { ledger, revision: written }
}

/** Begins with the next letter: nobody is told of those that were there before. */
export async function beginLedger(bucket: RecordBucket, life: string, until: number): Promise<void> {
  const stored = await bucket.read(KEY)
  await bucket.write(KEY, { v: 1, life, until, owed: {} } satisfies Ledger, { revision: stored?.revision ?? 0 })
}

/** There are so many groups owed that no more letters are to be read. */
export const isFull = ({ owed }: Ledger): boolean => Object.keys(owed).length >= MOST_OWED

/** With more letters. Stops in front of a letter that there is no room for; undefined where that is the first. */
export function counted(ledger: Ledger, letters: readonly CountedLetter[], until: number): Ledger | undefined {
  const owed: Record<string, Owed> = { ...ledger.owed }
  let room = MOST_OWED - Object.keys(owed).length
  for (const [index, letter] of letters.entries()) {
    const known = owed[letter.group]
    if (!known && room === 0) return index === 0 ? undefined : { ...ledger, owed, until: letters[index - 1]!.seq }
    if (!known) room--
    owed[letter.group] = known ? more(known, letter) : firstOf(letter)
  }
  return { ...ledger, owed, until }
}

function firstOf({ seq, service, handler, code, groupReason, storedAt }: CountedLetter): Owed {
  return {
    service: service ?? null,
    handler: handler ?? null,
    code: code.slice(0, LONGEST_TEXT).toWellFormed(),
    reason: groupReason,
    letters: 1,
    first: seq,
    last: seq,
    firstAt: storedAt,
    lastAt: storedAt,
  }
}

const more = (owed: Owed, { seq, storedAt }: CountedLetter): Owed => ({
  ...owed,
  letters: owed.letters + 1,
  last: seq,
  lastAt: storedAt,
})

/** Without what was told. Letters that came since are owed still; done twice it takes nothing more away. */
export function settled(ledger: Ledger, group: string, told: Owed): Ledger {
  const now = ledger.owed[group]
  if (!now || now.first > told.last) return ledger
  const { [group]: _, ...others } = ledger.owed
  if (now.last <= told.last) return { ...ledger, owed: others }
  const rest = { ...now, letters: now.letters - told.letters, first: told.last + 1, firstAt: told.lastAt }
  return { ...ledger, owed: { ...others, [group]: rest } }
}

function isLedger(value: unknown): value is Ledger {
  return isObject(value) && value['v'] === 1 && typeof value['until'] === 'number' && isObject(value['owed'])
}

/**
 * Payloads that were shown with hidden values, and come back changed.
 *
 * H1  What stood for a hidden value is that value again, wherever it stands now.
 * H2  It may stand only where it is hidden: nobody sees a card number by moving it into a comment.
 */
import { isObject, type OperationRecord, type Redactor } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import type { JsonChange } from '../letters/json-edit.ts'
import type { Described, Sensitivity } from './sensitivity.ts'

/** A document with what was hidden in it, and how many values that were. */
export type Filled = { readonly document: unknown; readonly count: number }

const NOTE = /^\[redacted( \d+)?\]$/

/**
 * Upholds H1 and H2. `seen` are the documents that whoever changed it may have seen, with values hidden.
 * @throws OperationsError OPERATIONS_EDIT_REFUSED for a note that stands for nothing, for two things, or where it would be shown
 */
export function putBack(redactor: Redactor, given: unknown, seen: readonly unknown[]): Filled {
  const notes = seen.map((document) => redactor.redact(document).hidden)
  if (notes.every(({ size }) => size === 0)) return { document: given, count: 0 }
  const faults = new Set<string>()
  let count = 0
  const isNote = (value: unknown): value is string => typeof value === 'string' && NOTE.test(value)
  const valueOf = (note: string): unknown => {
    const values = notes.filter((known) => known.has(note)).map((known) => known.get(note))
    const [first] = values
    if (values.length > 0 && texts.some((text) => text.includes(JSON.stringify(note))))
      faults.add(`${note} is a text of the payload and stands for a hidden value too; give the value itself`)
    if (values.length === 0) faults.add(`${note} stands for nothing that was hidden`)
    else if (values.some((value) => JSON.stringify(value) !== JSON.stringify(first)))
      faults.add(`${note} stands for one value in the letter and for another in its correction; give the value itself`)
    count += 1
    return first
  }
  const texts = seen.map((document) => JSON.stringify(document))
  // A text of the payload that looks like a note is itself: then another one stands for what is hidden.
  const isStanding = (value: unknown): value is string =>
    isNote(value) &&
    (notes.some((known) => known.has(value)) || !texts.some((text) => text.includes(JSON.stringify(value))))
  const fill = (value: unknown): unknown => {
    if (isStanding(value)) return valueOf(value)
    if (Array.isArray(value)) return value.map(fill)
    if (!isObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, inside]) => [isStanding(name) ? String(valueOf(name)) : name, fill(inside)]),
    )
  }
  const document = fill(given)
  const filled = count
  const { value: shown, hidden } = redactor.redact(document)
  /** Whether a note is where its value would be shown. */
  const isSeen = (value: unknown, now: unknown): boolean => {
    if (typeof now === 'string' && hidden.has(now)) return false
    if (isStanding(value)) return true
    if (Array.isArray(value)) return value.some((item, index) => isSeen(item, (now as unknown[] | undefined)?.[index]))
    if (!isObject(value)) return false
    const there = isObject(now) ? now : {}
    return Object.entries(value).some(([name, inside]) =>
      isStanding(name)
        ? Object.hasOwn(there, fill(name) as string) || isSeen(inside, undefined)
        : isSeen(inside, there[name]),
    )
  }
  if (faults.size === 0 && filled > 0 && isSeen(given, shown))
    faults.add('a hidden value is put where it would be shown; leave it where it was, or give the value itself')
  if (faults.size > 0) throw new OperationsError('OPERATIONS_EDIT_REFUSED', [...faults].join('; '))
  return { document, count: filled }
}

/** Changes to show: without values that are hidden. */
export function shownChanges(sensitivity: Sensitivity, event: Described, changes: readonly JsonChange[]): JsonChange[] {
  const redactor = sensitivity.redactorFor(event)
  if (!('withheld' in redactor) && !redactor.isMarked) return [...changes]
  return changes.map((change) => {
    if (!('value' in change)) return change
    if ('withheld' in redactor) return { ...change, value: '[redacted]' }
    const steps = change.path
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    return { ...change, value: redactor.redactAt(steps, change.value).value }
  })
}

/** What was done with a letter, to show: its corrections too have what is sensitive in them. */
export function shownHistory(
  sensitivity: Sensitivity,
  event: Described,
  records: readonly OperationRecord[],
): OperationRecord[] {
  return records.map((record) =>
    record.kind === 'edited'
      ? { ...record, patch: shownChanges(sensitivity, event, record.patch as readonly JsonChange[]) }
      : record,
  )
}

import { faultPlace } from '@malha/mesh'
import { isDeepStrictEqual } from 'node:util'
import { applyPatch, createPatch, type Operation, type Pointer } from 'rfc6902'
import { OperationsError } from '../errors.ts'

/** One change of a JSON document (RFC 6902). */
export type JsonChange = Operation

/** Lists are compared element by element only where that is not too much: the time grows with the product of their lengths. */
const MOST_COMPARED = 1_000_000

/**
 * The changes that make one JSON document of another; the whole of it where there was none before.
 * @throws OperationsError OPERATIONS_EDIT_REFUSED where they would not
 */
export function changesBetween(before: unknown, after: unknown): JsonChange[] {
  const changes = createPatch(wrapped(before), wrapped(after), ofLongLists).map((one) => moved(one, unprefixed))
  if (isDeepStrictEqual(withChanges(before, changes), after)) return changes
  throw new OperationsError(
    'OPERATIONS_EDIT_REFUSED',
    'the change cannot be written as a JSON Patch; undo its unusual keys',
  )
}

/** A JSON document with changes. @throws OperationsError OPERATIONS_EDIT_REFUSED where they do not fit it */
export function withChanges(before: unknown, changes: readonly JsonChange[]): unknown {
  const document = wrapped(structuredClone(before))
  const results = applyPatch(
    document,
    changes.map((one) => moved(structuredClone(one), (path) => ROOT + path)),
  )
  if (results.every((result) => result === null)) return document.root
  throw new OperationsError('OPERATIONS_EDIT_REFUSED', 'the changes do not fit the payload')
}

/** The root itself can be no target of the library's. */
const wrapped = (root: unknown): { root: unknown } => ({ root })
const ROOT = '/root'
const unprefixed = (path: string): string => path.slice(ROOT.length)

const moved = (change: JsonChange, place: (path: string) => string): JsonChange => ({
  ...change,
  path: place(change.path),
  ...('from' in change && { from: place(change.from) }),
})

function ofLongLists(before: unknown, after: unknown, at: Pointer): Operation[] | undefined {
  const areLists = Array.isArray(before) && Array.isArray(after)
  if (!areLists || before.length * after.length <= MOST_COMPARED) return undefined
  return [{ op: 'replace', path: at.toString(), value: after }]
}

/**
 * A payload as JSON.
 * @throws OperationsError OPERATIONS_EDIT_REFUSED where it is none, or has numbers that would be others when they are written again
 */
export function readJson(payload: Uint8Array): unknown {
  const lossy: string[] = []
  const read = (_: string, value: unknown, { source }: { source?: string } = {}): unknown => {
    if (typeof value === 'number' && source !== undefined && isOther(value, source)) lossy.push(source)
    return value
  }
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload), read) as unknown
  } catch (error) {
    throw new OperationsError('OPERATIONS_EDIT_REFUSED', `the payload is no JSON${faultPlace(error)}`)
  }
  if (lossy.length === 0) return document
  throw new OperationsError(
    'OPERATIONS_EDIT_REFUSED',
    `the payload has numbers that JavaScript cannot keep as they are (${lossy.slice(0, 3).join(', ').slice(0, 100)}); publish it anew by other means`,
  )
}

/** Whether a number is written with more digits than it can keep. */
function isOther(value: number, source: string): boolean {
  if (/^-?\d+$/.test(source)) return !Number.isSafeInteger(value)
  const [digits = ''] = source.split(/e/i)
  return digits.replaceAll(/[-.]/g, '').replace(/^0+/, '').length > 17 || !Number.isFinite(value)
}

import { MeshError } from '../errors.ts'
import { isMatch, isObject, isWhole, shown } from '../given.ts'
import { covers } from '../message/contract.ts'
import { HEADER, type HeaderPairs } from '../message/headers.ts'
import type { Names } from '../topology/names.ts'

/**
 * What must hold for an event to be stored: that nobody has stored another one under `subjects` meanwhile. All who write
 * there must use the same `subjects`: on three replicas the server holds two writes at once apart by this very text.
 */
export type Expectation = {
  /** Sequence of the last event under `subjects`; 0 where there is none. */
  readonly lastSeq: number
  /** A subject pattern without the namespace that covers the event's own subject: `account.*.4.a-1`. */
  readonly subjects: string
}

/**
 * The expectation as the server reads it, with the namespace.
 * @throws MeshError MESH_INVALID_OPTIONS
 */
export function expectationOf(names: Names, expect: Expectation, out: { subject: string; once: boolean }): Expectation {
  const fault = (what: string): MeshError => new MeshError('MESH_INVALID_OPTIONS', `expect: ${what}`)
  if (!isObject(expect)) throw fault(`it is ${shown(expect)}; { lastSeq, subjects }`)
  const { lastSeq, subjects } = expect
  if (!isWhole(lastSeq, 0)) throw fault(`lastSeq is ${shown(lastSeq)}; a sequence, or 0 for none`)
  // It goes into a header.
  if (!isMatch(subjects, /^[!-~]+$/)) throw fault(`subjects is ${shown(subjects)}; a subject pattern`)
  const expectation = { lastSeq, subjects: names.subject(subjects) }
  if (out.once) throw fault('an event published once has an expectation of its own; leave one of them out')
  if (!covers(expectation.subjects, out.subject))
    throw fault(`${subjects} does not cover the subject of the event, ${names.strip(out.subject)}`)
  return expectation
}

export function expectationHeaders(expect: Expectation | undefined): HeaderPairs {
  if (!expect) return []
  return [
    [HEADER.expectedLastSubjectSequence, String(expect.lastSeq)],
    [HEADER.expectedUnder, expect.subjects],
  ]
}

export function expectationError({ lastSeq, subjects }: Expectation, actual: number | undefined): MeshError {
  const found = actual === undefined ? 'it is gone' : `sequence ${actual} came after it`
  return new MeshError(
    'MESH_EXPECTATION_FAILED',
    `the last event under ${subjects} was expected to have sequence ${lastSeq}, but ${found}; nothing was stored. Read again and decide again`,
  )
}

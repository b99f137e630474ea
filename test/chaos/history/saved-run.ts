import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ArchiveRow, FinalState, Letter, StoredMessage } from './final-state.ts'
import type { Operation } from './operation.ts'
import { readLines } from './read-lines.ts'

/**
 * What a run leaves behind, as files of JSON, one value a line:
 *
 *     operations/<process>.jsonl   what each process wrote down
 *     final/streams.jsonl          what the streams held in the end,
 *     final/letters.jsonl          the dead letters among it,
 *     final/archive.jsonl          and the rows of the archive
 *     final/about.json             when the run began, and its handlers
 */
export type SavedLine = { file: string; line: number; text: string }

const OPERATIONS = 'operations'
const FINAL = 'final'
const PARTS = ['streams', 'letters', 'archive'] as const
type Part = (typeof PARTS)[number]
type About = Pick<FinalState, 'beganAt' | 'handlers' | 'isMended'>

/** Where each process of a run writes its operations. Makes the folders of a run. */
export function operationsFolder(run: string): string {
  mkdirSync(join(run, OPERATIONS), { recursive: true })
  mkdirSync(join(run, FINAL), { recursive: true })
  return join(run, OPERATIONS)
}

/** Where one part of the final state is written, a line each. */
export const finalFile = (run: string, part: Part): string => join(run, FINAL, `${part}.jsonl`)

export function saveAbout(run: string, { beganAt, handlers, isMended = false }: About): void {
  const about: About = { beganAt, handlers, isMended }
  writeFileSync(join(run, FINAL, 'about.json'), `${JSON.stringify(about, undefined, 2)}\n`)
}

/** Every line of a saved run: operations in the order of each file, then the final state. */
export function* savedLines(run: string): Generator<SavedLine> {
  const operations = readdirSync(join(run, OPERATIONS)).filter((name) => name.endsWith('.jsonl'))
  const files = [...operations.sort().map((name) => join(OPERATIONS, name)), ...PARTS.map((part) => finalOf(part))]
  for (const file of files) yield* numbered(run, file)
}

/** Lines that are no JSON: what a SIGKILL cut. */
export type Torn = SavedLine[]

export type SavedRun = { operations: Iterable<Operation>; final: FinalState; torn: Torn }

/**
 * Reads a saved run, line by line as it is asked for. `torn` fills up meanwhile.
 * @throws when the folder holds no run, or its final state is cut
 */
export function readSavedRun(run: string): SavedRun {
  const torn: Torn = []
  const {
    beganAt,
    handlers,
    isMended = false,
  } = JSON.parse(readFileSync(join(run, FINAL, 'about.json'), 'utf8')) as About
  const part = <T>(name: Part): Iterable<T> => again(() => values<T>(numbered(run, finalOf(name))))
  return {
    operations: again(() => operationsOf(run, torn)),
    final: {
      beganAt,
      handlers,
      isMended,
      streams: part<StoredMessage>('streams'),
      letters: part<Letter>('letters'),
      archive: part<ArchiveRow>('archive'),
    },
    torn,
  }
}

function* operationsOf(run: string, torn: Torn): Generator<Operation> {
  const files = readdirSync(join(run, OPERATIONS)).filter((name) => name.endsWith('.jsonl'))
  for (const file of files.sort()) yield* values<Operation>(numbered(run, join(OPERATIONS, file)), torn)
}

function finalOf(part: Part): string {
  return join(FINAL, `${part}.jsonl`)
}

function* numbered(run: string, file: string): Generator<SavedLine> {
  let line = 0
  for (const text of readLines(join(run, file))) yield { file, line: ++line, text }
}

/** @throws on a line that is no JSON, unless there is a list for those */
function* values<T>(lines: Iterable<SavedLine>, torn?: Torn): Generator<T> {
  for (const line of lines) {
    // What a process writes first when it finds a cut line.
    if (line.text === '') continue
    const value = parsed(line.text)
    if (value !== undefined) yield value as T
    else if (torn) torn.push(line)
    else throw new Error(`${line.file}:${line.line} is no JSON; gather what the run left once more, or run it again`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** An iterable that begins anew each time. */
function again<T>(begin: () => Iterator<T>): Iterable<T> {
  return { [Symbol.iterator]: begin }
}

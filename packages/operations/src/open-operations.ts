import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Mesh } from '@malha/mesh'
import { LetterIndex } from './letters/letter-index.ts'
import { type Letters, lettersOf } from './letters/letters.ts'
import { type Runs, runsOf } from './runs/runs.ts'

export type OperationsOptions = {
  /** Where the index of letters is kept, a SQLite file; its folder is made. It may be deleted at any time. @default in memory */
  indexFile?: string
}

/** What a person on call does with a mesh. */
export interface Operations extends Disposable {
  readonly letters: Letters
  readonly runs: Runs
}

/**
 * Opens the operations of a mesh. To look needs `$JS.API.STREAM.INFO`, `$JS.API.DIRECT.GET` and `$JS.API.STREAM.MSG.GET` of
 * `DEAD_LETTERS` and `OPERATIONS`, nothing else.
 * @throws OperationsError OPERATIONS_INDEX_FAILED
 */
export async function openOperations(
  mesh: Mesh,
  { indexFile = ':memory:' }: OperationsOptions = {},
): Promise<Operations> {
  if (indexFile !== ':memory:') await mkdir(dirname(indexFile), { recursive: true, mode: 0o700 })
  const index = new LetterIndex(indexFile)
  return {
    letters: lettersOf(mesh, index),
    runs: runsOf(mesh, index),
    [Symbol.dispose]: () => index[Symbol.dispose](),
  }
}

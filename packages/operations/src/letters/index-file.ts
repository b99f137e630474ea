/** The SQLite file of an index: opened, begun where it is new or of another form, written in transactions. */
import { DatabaseSync } from 'node:sqlite'
import { OperationsError } from '../errors.ts'
import { FORM, SCHEMA, TABLES, VIEWS } from './letter-schema.ts'

/** Another process writes for less. */
const LOCKED_MS = 10_000
/** Pages of the file in memory: of a million letters, the inner ones of its indexes, and the rows of those under way. */
const CACHE_KIB = 16_384

/** @throws OperationsError OPERATIONS_INDEX_FAILED */
export function openIndexFile(file: string): DatabaseSync {
  try {
    const db = new DatabaseSync(file, { timeout: LOCKED_MS })
    // Lost with the machine's power at worst: then it is read again. What a letter replaces is counted as gone.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA recursive_triggers = ON')
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    if (formOf(db) !== FORM) inTransaction(db, () => begin(db))
    return db
  } catch (cause) {
    throw new OperationsError('OPERATIONS_INDEX_FAILED', `the index of letters at ${file} cannot be opened`, { cause })
  }
}

/** Nobody sees a part of it. */
export function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** The first column of the first row. */
export function numberIn(db: DatabaseSync, query: string): number {
  return Number(Object.values(db.prepare(query).get() ?? {})[0])
}

const formOf = (db: DatabaseSync): number => numberIn(db, 'PRAGMA user_version')

function begin(db: DatabaseSync): void {
  // Another process may have begun it at the same time.
  if (formOf(db) === FORM) return
  for (const view of VIEWS) db.exec(`DROP VIEW IF EXISTS ${view}`)
  for (const table of TABLES) db.exec(`DROP TABLE IF EXISTS ${table}`)
  db.exec(`${SCHEMA} PRAGMA user_version = ${FORM}`)
}

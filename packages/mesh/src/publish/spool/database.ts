/**
 * The file of a spool: a SQLite database in exclusive use.
 *
 * A rollback journal and not a write-ahead log: SQLite drops what follows a damaged frame of a log without a word, and with
 * it events that were answered. Here everything that was answered is in the one file, where its checksums find damage.
 */
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { checksum, type Entry } from './entry.ts'
import { makeForOwner, type Sqlite } from './sqlite.ts'

/** What a salvage relies on: it reads pages by itself. */
export const PAGE_BYTES = 4096

/** `MSPL`: tells a spool from other SQLite files. */
const APPLICATION_ID = 0x4d53504c
const FORMAT = 1

const SCHEMA = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE marks (stream TEXT PRIMARY KEY, sent_to INTEGER NOT NULL, floor INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, head TEXT NOT NULL, payload BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE dead (seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, head TEXT NOT NULL, payload BLOB NOT NULL, sum INTEGER NOT NULL,
  code TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0);
`

/** Makes a new file. */
export function createDatabase({ DatabaseSync }: Sqlite, path: string): DatabaseSync {
  makeForOwner(path)
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; BEGIN EXCLUSIVE;`)
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; ${SCHEMA}`)
  const insert = db.prepare('INSERT INTO meta VALUES (?, ?)')
  insert.run('format', String(FORMAT))
  insert.run('id', randomUUID())
  db.exec('COMMIT')
  return db
}

/**
 * Opens a file for this process alone. What was freed is overwritten (`secure_delete`), so that a salvage never finds an
 * event that was sent.
 */
export function openDatabase({ DatabaseSync }: Sqlite, path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    db.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON',
    )
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** A file that is empty again gives its space back. */
export function shrink(db: DatabaseSync): void {
  const rows = db.prepare('SELECT 1 FROM entries UNION ALL SELECT 1 FROM dead LIMIT 1').all()
  if (rows.length === 0 && numberOf(db, 'page_count') * PAGE_BYTES > KEPT_BYTES) db.exec('VACUUM')
}

const KEPT_BYTES = 2 ** 20

export type Verdict =
  | { kind: 'sound'; id: string }
  | { kind: 'torn'; faults: string[] }
  /** A database of something else. */
  | { kind: 'foreign' }
  /** Of a newer release. */
  | { kind: 'newer'; format: number }

/** Reads all of it: the pages by SQLite's own check, the events by their checksums. */
export function examine(db: DatabaseSync): Verdict {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  const names = new Set(tables.map(({ name }) => name))
  if (!['meta', 'marks', 'entries', 'dead'].every((name) => names.has(name))) return { kind: 'foreign' }
  const meta = metaOf(db)
  const version = numberOf(db, 'user_version')
  const format = Number(meta.get('format'))
  if (format === version && format > FORMAT) return { kind: 'newer', format }
  const faults = [...checkPages(db), ...checkRows(db, 'entries'), ...checkRows(db, 'dead')]
  if (version !== FORMAT || format !== FORMAT || numberOf(db, 'application_id') !== APPLICATION_ID)
    faults.push('its header was overwritten')
  const id = meta.get('id')
  if (faults.length > 0 || id === undefined) return { kind: 'torn', faults: faults.slice(0, 10) }
  return { kind: 'sound', id }
}

function metaOf(db: DatabaseSync): Map<string, string> {
  const rows = db.prepare('SELECT name, value FROM meta').all() as { name: string; value: string }[]
  return new Map(rows.map(({ name, value }) => [name, value]))
}

function numberOf(db: DatabaseSync, pragma: 'user_version' | 'application_id' | 'page_count'): number {
  return Number(Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])
}

function checkPages(db: DatabaseSync): string[] {
  const rows = db.prepare('PRAGMA quick_check(10)').all()
  return rows.map((row) => String(Object.values(row)[0])).filter((line) => line !== 'ok')
}

function checkRows(db: DatabaseSync, table: 'entries' | 'dead'): string[] {
  const faults: string[] = []
  for (const row of db.prepare(`SELECT seq, stream, head, payload, sum FROM ${table} ORDER BY seq`).iterate()) {
    const { sum, ...entry } = row as unknown as Entry & { sum: number }
    if (faults.length < 10 && checksum(entry) !== sum) faults.push(`${table} ${entry.seq} is not what was written`)
  }
  return faults
}

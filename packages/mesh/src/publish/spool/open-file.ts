/**
 * Opens the file of a spool, makes it where there is none, and saves what can be saved of a torn one.
 *
 * A salvage writes a new file, puts the torn one aside, and gives the new one its place. A process that dies in between
 * leaves either the torn file in its place, and it begins again, or no file and the new one complete, and it goes on.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { MeshError } from '../../errors.ts'
import type { Logger } from '../../observe/logger.ts'
import { createDatabase, examine, openDatabase, shrink, type Verdict } from './database.ts'
import { checksum, type Entry, readHead } from './entry.ts'
import { lockFile } from './file-lock.ts'
import { salvage, type Salvaged } from './salvage.ts'
import { loadSqlite, resultCode, SQLITE, type Sqlite } from './sqlite.ts'

/** A file that is sound, and this process's alone. */
export type OpenFile = {
  readonly db: DatabaseSync
  /** Of this file, also after it was moved. */
  readonly id: string
  close(): void
}

/**
 * Opens or makes a spool's file. A torn one is reported to `log` (error), with what was saved; it stays beside the new one.
 * @throws MeshError MESH_SPOOL_IN_USE | MESH_SPOOL_UNUSABLE
 */
export async function openSpoolFile(file: string, log: Logger): Promise<OpenFile> {
  const sqlite = await loadSqlite()
  const path = resolve(file)
  try {
    mkdirSync(dirname(path), { recursive: true })
    const lock = lockFile(sqlite, path)
    try {
      const { db, id } = openLocked(sqlite, path, log)
      const close = (): void => {
        db.close()
        lock.release()
      }
      return { db, id, close }
    } catch (error) {
      lock.release()
      throw error
    }
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw unusable(path, (error as Error).message, error)
  }
}

function openLocked(sqlite: Sqlite, path: string, log: Logger): { db: DatabaseSync; id: string } {
  const made = `${path}.new`
  if (!existsSync(path)) {
    // A salvage got as far as putting the torn file aside; anything else that stands there is half made.
    if (!existsSync(made) || !isSound(sqlite, made)) make(sqlite, made, { entries: [], dead: [] })
    renameSync(made, path)
    syncFolder(path)
  }
  const first = tryOpen(sqlite, path)
  if (first.kind === 'sound') return first
  refuseOthers(first, path)
  rescue(sqlite, path, { faults: first.kind === 'torn' ? first.faults : [], log })
  const second = tryOpen(sqlite, path)
  if (second.kind !== 'sound') throw unusable(path, 'the file that was just written is torn too; is the disk sound?')
  return second
}

type Opened = { kind: 'sound'; db: DatabaseSync; id: string } | Exclude<Verdict, { kind: 'sound' }>

function tryOpen(sqlite: Sqlite, path: string): Opened {
  // SQLite takes an empty file for a new database; a spool's file is never empty.
  if (statSync(path).size === 0) return { kind: 'torn', faults: ['it is empty'] }
  let db: DatabaseSync | undefined
  try {
    db = openDatabase(sqlite, path)
    const verdict = examine(db)
    if (verdict.kind === 'sound') {
      shrink(db)
      return { ...verdict, db }
    }
    db.close()
    return verdict
  } catch (error) {
    db?.close()
    if (!isDamage(error)) throw error
    return { kind: 'torn', faults: [(error as Error).message] }
  }
}

function isDamage(error: unknown): boolean {
  const code = resultCode(error)
  return code === SQLITE.corrupt || code === SQLITE.notADatabase || code === SQLITE.ioError
}

function refuseOthers(verdict: Opened, path: string): void {
  if (verdict.kind === 'foreign') throw unusable(path, 'it is a database, but no spool; name another file')
  if (verdict.kind === 'newer')
    throw unusable(
      path,
      `it has format ${verdict.format}, this release knows 1; run the newer release until it is empty`,
    )
}

function isSound(sqlite: Sqlite, path: string): boolean {
  const opened = tryOpen(sqlite, path)
  if (opened.kind !== 'sound') return false
  opened.db.close()
  return true
}

function rescue(sqlite: Sqlite, path: string, { faults, log }: { faults: string[]; log: Logger }): void {
  const saved = salvage(readFileSync(path))
  const made = `${path}.new`
  make(sqlite, made, saved)
  const aside = asideName(path)
  renameSync(path, aside)
  if (existsSync(`${path}-journal`)) renameSync(`${path}-journal`, `${aside}-journal`)
  renameSync(made, path)
  syncFolder(path)
  const { entries, dead } = saved
  log.error(
    { file: path, torn: aside, saved: entries.length, savedDead: dead.length, missing: missingFrom(saved), faults },
    `the spool was torn: ${entries.length} queued events were saved from it, and what else it held is lost. The torn file is kept as ${basename(aside)}`,
  )
}

function asideName(path: string): string {
  const at = new Date().toISOString().replaceAll(/[:.]/g, '-')
  return `${path}.torn-${at}`
}

/** Nobody knows any more what was sent, so each is looked up before it is sent. */
function make(sqlite: Sqlite, path: string, { entries, dead }: Salvaged): void {
  for (const old of [path, `${path}-journal`]) rmSync(old, { force: true })
  const db = createDatabase(sqlite, path)
  try {
    db.exec('BEGIN')
    const insert = db.prepare('INSERT INTO entries VALUES (?, ?, ?, ?, ?)')
    for (const entry of entries.map(asSent))
      insert.run(entry.seq, entry.stream, entry.head, entry.payload, checksum(entry))
    const bury = db.prepare('INSERT INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    for (const { seq, stream, head, payload, death, told } of dead) {
      const sum = checksum({ seq, stream, head, payload })
      bury.run(seq, stream, head, payload, sum, death.code, death.reason, death.at, told)
    }
    db.exec('COMMIT')
  } finally {
    db.close()
  }
}

function asSent(entry: Entry): Entry {
  return { ...entry, head: JSON.stringify({ sentAfter: 0, ...readHead(entry) }) }
}

/** Numbers between the first and the last that were saved and are not there: sent already, or lost. At most 20 ranges. */
function missingFrom({ entries, dead }: Salvaged): string[] {
  const seqs = [...entries, ...dead].map(({ seq }) => seq).sort((a, b) => a - b)
  const ranges: string[] = []
  for (const [index, seq] of seqs.entries()) {
    const before = seqs[index - 1]
    if (before === undefined || seq === before + 1) continue
    ranges.push(seq === before + 2 ? `${before + 1}` : `${before + 1}-${seq - 1}`)
  }
  return ranges.slice(0, 20)
}

/** So that a rename outlives a loss of power. Windows cannot, and need not. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(join(dirname(path)), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function unusable(path: string, why: string, cause?: unknown): MeshError {
  return new MeshError('MESH_SPOOL_UNUSABLE', `spool ${path} cannot be used: ${why}`, { cause })
}

import { rmSync } from 'node:fs'
import { hostname } from 'node:os'
import type { DatabaseSync } from 'node:sqlite'
import { MeshError } from '../../errors.ts'
import { makeForOwner, resultCode, SQLITE, type Sqlite } from './sqlite.ts'

/** Held until it is released or the process is gone, however that ended: the lock is the kernel's. */
export type FileLock = { release(): void }

type Owner = { pid: number; host: string }

/**
 * One process a spool. The lock is on a small database of its own: it can be read while it is held, so that whoever comes
 * second is told who has it, and it can be held while the spool itself is torn.
 * @throws MeshError MESH_SPOOL_IN_USE naming the file and the other process
 */
export function lockFile(sqlite: Sqlite, file: string): FileLock {
  const path = `${file}.lock`
  try {
    return take(sqlite, path, file)
  } catch (error) {
    const code = resultCode(error)
    if (code !== SQLITE.notADatabase && code !== SQLITE.corrupt) throw error
    // It holds nothing but the owner's name.
    rmSync(path)
    return take(sqlite, path, file)
  }
}

function take({ DatabaseSync }: Sqlite, path: string, file: string): FileLock {
  makeForOwner(path)
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE')
    db.exec('CREATE TABLE IF NOT EXISTS owner (one INTEGER PRIMARY KEY, pid INTEGER, host TEXT)')
    db.prepare('INSERT OR REPLACE INTO owner VALUES (1, ?, ?)').run(process.pid, hostname())
    db.exec('COMMIT')
    // Readers may read; nobody else may hold the same.
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    const owner = resultCode(error) === SQLITE.busy ? ownerOf(db) : undefined
    db.close()
    if (resultCode(error) === SQLITE.busy) throw inUse(file, owner)
    throw error
  }
  return { release: () => db.close() }
}

function ownerOf(db: DatabaseSync): Owner | undefined {
  try {
    return db.prepare('SELECT pid, host FROM owner').get() as Owner | undefined
  } catch {
    return undefined
  }
}

function inUse(file: string, owner: Owner | undefined): MeshError {
  const by = owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host}`
  return new MeshError(
    'MESH_SPOOL_IN_USE',
    `spool ${file} is in use by ${by}; one process has it at a time. Give each its own file (MALHA_SPOOL_FILE)`,
  )
}

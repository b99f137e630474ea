import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as sqlite from 'node:sqlite'
import { createDatabase } from '../../../packages/mesh/src/publish/spool/database.ts'

/** A spool's own database, whose file is gone as soon as it is open. */
export function spoolDatabase(): sqlite.DatabaseSync {
  const dir = mkdtempSync(join(tmpdir(), 'malha-fuzz-'))
  try {
    const db = createDatabase(sqlite, join(dir, 'spool.db'))
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF')
    return db
  } finally {
    rmSync(dir, { recursive: true })
  }
}

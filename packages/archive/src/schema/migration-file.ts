import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { ArchiveError } from '../errors.ts'

/** One numbered `.sql` file: statements, each after a line `-- statement`. */
export type Migration = {
  readonly version: number
  readonly name: string
  readonly sha256: string
  readonly statements: readonly string[]
}

/** The migrations this package ships. */
export const shippedMigrations: URL = new URL('../../migrations/', import.meta.url)

/**
 * Reads and parses every migration of a folder, in order.
 * @throws ArchiveError ARCHIVE_MIGRATION_INVALID
 */
export async function readMigrations(folder: URL = shippedMigrations): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const migrations = await Promise.all(
    names.map(async (name) => parseMigration(name, await readFile(new URL(name, folder), 'utf8'))),
  )
  for (const [index, migration] of migrations.entries()) {
    if (migration.version !== index + 1)
      throw invalid(migration.name, `its number should be ${index + 1}: numbers start at 1, with no hole and no double`)
  }
  return migrations
}

/**
 * Parses one file. Statements are told apart by marker lines, not by semicolons: those also stand in literals.
 * @throws ArchiveError ARCHIVE_MIGRATION_INVALID
 */
export function parseMigration(fileName: string, text: string): Migration {
  const named = /^(\d{3})_([a-z0-9_]+)\.sql$/.exec(fileName)
  if (!named) throw invalid(fileName, 'a file is called like 004_add_tenant.sql')
  const [preamble = '', ...parts] = text.split(/^-- statement[ \t]*$/m)
  if (preamble.split('\n').some((line) => line.trim() !== '' && !line.startsWith('--')))
    throw invalid(fileName, 'only comments may stand before the first line "-- statement"')
  const statements = parts.map((part) => part.trim().replace(/;$/, ''))
  if (statements.length === 0) throw invalid(fileName, 'it has no line "-- statement"')
  if (statements.some((statement) => statement === '')) throw invalid(fileName, 'a statement is empty')
  return {
    version: Number(named[1]),
    name: fileName,
    sha256: createHash('sha256').update(text).digest('hex'),
    statements,
  }
}

function invalid(name: string, why: string): ArchiveError {
  return new ArchiveError('ARCHIVE_MIGRATION_INVALID', `migration ${name}: ${why}`)
}

import { readFile } from 'node:fs/promises'
import { OutboxError } from '../errors.ts'
import type { PgPool, PgQueryable } from '../postgres.ts'
import { type OutboxNames, outboxNames } from './names.ts'

/** The table format this release writes and reads. */
const FORMAT = 1

/** One file a format; the first makes everything. Beside `src` and `dist` alike. */
const FILES = ['0001-outbox.sql']

export type MigrateOptions = {
  /** Where the tables are. @default 'malha' */
  schema?: string
}

/**
 * Makes the outbox in a database, or brings it to this release's format. Safe to run from many processes at once.
 * @returns the formats that were applied; none when there was nothing to do
 * @throws OutboxError OUTBOX_NEWER_FORMAT | OUTBOX_INVALID_OPTIONS
 */
export async function migrateOutbox(pool: PgPool, options: MigrateOptions = {}): Promise<{ applied: number[] }> {
  const names = outboxNames(options.schema)
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1, -1)', [names.locks.owners])
    const from = (await formatOf(client, names)) ?? 0
    checkFormat(names, from)
    const applied: number[] = []
    for (let format = from + 1; format <= FORMAT; format += 1) {
      await client.query(await sqlOf(names, format))
      applied.push(format)
    }
    await client.query('COMMIT')
    return { applied }
  } catch (error) {
    failure = error as Error
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  } finally {
    client.release(failure)
  }
}

/** The SQL that {@link migrateOutbox} would run on an empty database, for those whose tables somebody else makes. */
export async function outboxSql(options: MigrateOptions = {}): Promise<string> {
  const names = outboxNames(options.schema)
  const files = await Promise.all(FILES.map((_, index) => sqlOf(names, index + 1)))
  return files.join('\n')
}

/** @throws OutboxError OUTBOX_NOT_MIGRATED | OUTBOX_NEWER_FORMAT */
export async function requireFormat(client: PgQueryable, names: OutboxNames): Promise<void> {
  const format = await formatOf(client, names)
  if (format === undefined || format < FORMAT)
    throw new OutboxError('OUTBOX_NOT_MIGRATED', `schema ${names.schema} has no outbox of format ${FORMAT}`)
  checkFormat(names, format)
}

function checkFormat(names: OutboxNames, format: number): void {
  if (format > FORMAT)
    throw new OutboxError(
      'OUTBOX_NEWER_FORMAT',
      `the outbox of schema ${names.schema} has format ${format}, this release knows ${FORMAT}`,
    )
}

async function formatOf(client: PgQueryable, names: OutboxNames): Promise<number | undefined> {
  const { rows: found } = await client.query('SELECT to_regclass($1) AS table', [`${names.quoted}.outbox_format`])
  if (found[0]?.['table'] == null) return undefined
  const { rows } = await client.query(`SELECT max(format) AS format FROM ${names.quoted}.outbox_format`)
  return Number(rows[0]?.['format'])
}

async function sqlOf(names: OutboxNames, format: number): Promise<string> {
  const text = await readFile(new URL(`../../migrations/${FILES[format - 1]}`, import.meta.url), 'utf8')
  return text
    .replaceAll('{{schema}}', names.quoted)
    .replaceAll('{{writers}}', String(names.locks.writers))
    .replaceAll('{{channel}}', names.channel)
}

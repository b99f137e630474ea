import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrateArchive, type MigrateOptions } from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

const migrate = async (options: MigrateOptions = {}) =>
  await migrateArchive({ nats: servers.nats, clickhouse: { url: servers.clickhouse.url } }, options)

const history = async () =>
  await servers.clickhouse.sql<{ version: number; n: number }>(
    'SELECT version, toUInt32(count()) AS n FROM archive.schema_migrations GROUP BY version ORDER BY version',
  )

async function folderOf(
  files: Record<string, string>,
): Promise<{ url: URL; [Symbol.asyncDispose]: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'malha-migrations-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return {
    url: pathToFileURL(`${folder}/`),
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }),
  }
}

// In this order: the first test sees a server without an archive.
test('a dry run says what would be done, and does nothing', async () => {
  const report = await migrate({ dryRun: true })
  expect(report).toMatchObject({
    applied: [],
    pending: ['001_events.sql', '002_gaps.sql', '003_dead_letters.sql', '004_markers.sql', '005_floors.sql'],
  })
  expect(await servers.clickhouse.sql("SELECT name FROM system.databases WHERE name = 'archive'")).toEqual([])
})

test('three at once apply each migration once', async () => {
  const reports = await Promise.all([migrate(), migrate(), migrate()])
  expect(reports.flatMap((report) => report.applied)).toHaveLength(5)
  expect(await history()).toEqual([1, 2, 3, 4, 5].map((version) => ({ version, n: 1 })))
  const [database] = await servers.clickhouse.sql<{ engine: string }>(
    "SELECT engine FROM system.databases WHERE name = 'archive'",
  )
  expect(database?.engine).toBe('Atomic')
  expect(await migrate()).toEqual({ applied: [], pending: [], unknown: [] })
})

test('a file changed after it was applied is refused, and nothing of the others is applied', async () => {
  await using folder = await folderOf({
    '001_events.sql': '-- statement\nCREATE TABLE IF NOT EXISTS archive.events (other UInt8) ENGINE = Memory',
  })
  await expect(migrate({ folder: folder.url })).rejects.toThrow(/ARCHIVE_MIGRATION_CHANGED: 001_events\.sql/)
})

test('a migration that failed half-way is run again from its start once it is mended', async () => {
  const { readFile } = await import('node:fs/promises')
  const { shippedMigrations } = await import('../src/schema/migration-file.ts')
  const shipped: Record<string, string> = {}
  for (const name of ['001_events.sql', '002_gaps.sql', '003_dead_letters.sql', '004_markers.sql', '005_floors.sql'])
    shipped[name] = await readFile(new URL(name, shippedMigrations), 'utf8')
  const first = '-- statement\nCREATE TABLE IF NOT EXISTS archive.half (a UInt8) ENGINE = Memory\n'
  await using broken = await folderOf({ ...shipped, '006_half.sql': `${first}-- statement\nCREATE NONSENSE` })
  await expect(migrate({ folder: broken.url })).rejects.toThrow(/ARCHIVE_MIGRATION_FAILED: 006_half\.sql, statement 2/)
  expect(await history()).toHaveLength(5)
  const second = '-- statement\nCREATE TABLE IF NOT EXISTS archive.whole (a UInt8) ENGINE = Memory\n'
  await using mended = await folderOf({ ...shipped, '006_half.sql': first + second })
  expect(await migrate({ folder: mended.url })).toMatchObject({ applied: ['006_half.sql'] })
  expect(await migrate()).toMatchObject({ unknown: ['006_half.sql'] })
})

import { expect, test } from 'vitest'
import { pendingOf } from '../src/schema/history.ts'
import { parseMigration, readMigrations } from '../src/schema/migration-file.ts'

test('statements are split at their markers only, not at semicolons in literals', () => {
  const text = "-- why\n-- statement\nSELECT ';' -- a;b\n-- statement\nSELECT 2;\n"
  expect(parseMigration('001_two.sql', text)).toMatchObject({
    version: 1,
    statements: ["SELECT ';' -- a;b", 'SELECT 2'],
  })
})

test.for([
  ['1_x.sql', '-- statement\nSELECT 1', /004_add_tenant/],
  ['001_x.sql', 'SELECT 1', /only comments/],
  ['001_x.sql', '-- nothing', /no line/],
  ['001_x.sql', '-- statement\n-- statement\nSELECT 1', /empty/],
] as const)('%s with %j is refused', ([name, text, why]) => {
  expect(() => parseMigration(name, text)).toThrow(why)
})

test('the shipped migrations parse, are numbered without a hole, and can all be repeated', async () => {
  const migrations = await readMigrations()
  expect(migrations.map((migration) => migration.version)).toEqual(migrations.map((_, index) => index + 1))
  for (const statement of migrations.flatMap((migration) => migration.statements))
    expect(statement).toMatch(/IF (NOT )?EXISTS/)
})

test('a changed file is refused with both hashes, a new one is pending, one of a newer release is left alone', () => {
  const file = parseMigration('001_a.sql', '-- statement\nSELECT 1')
  const next = parseMigration('002_b.sql', '-- statement\nSELECT 2')
  const applied = { version: 1, name: '001_a.sql', sha256: file.sha256 }
  expect(pendingOf([file, next], [applied])).toEqual([next])
  expect(pendingOf([file], [applied, { version: 9, name: '009_z.sql', sha256: 'f'.repeat(64) }])).toEqual([])
  expect(() => pendingOf([file], [{ ...applied, sha256: '0'.repeat(64) }])).toThrow(/ARCHIVE_MIGRATION_CHANGED.*001_a/)
})

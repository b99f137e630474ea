import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { clickHouseOptions } from '../src/index.ts'

const CLICKHOUSE_URL = 'http://127.0.0.1:8123'

test('the password of ClickHouse is read from a file, which goes before the variable', () => {
  const folder = mkdtempSync(join(tmpdir(), 'malha-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'password')
  writeFileSync(file, 's3cret\n')
  const env = { CLICKHOUSE_URL, CLICKHOUSE_USER: 'malha', CLICKHOUSE_PASSWORD: 'other' }
  expect(clickHouseOptions(env).password).toBe('other')
  expect(clickHouseOptions({ ...env, CLICKHOUSE_PASSWORD_FILE: file })).toEqual({
    url: CLICKHOUSE_URL,
    username: 'malha',
    password: 's3cret',
  })
})

test('a password file that cannot be read is named, with why', () => {
  const CLICKHOUSE_PASSWORD_FILE = '/nowhere/password'
  expect(() => clickHouseOptions({ CLICKHOUSE_URL, CLICKHOUSE_PASSWORD_FILE })).toThrow(
    /ARCHIVE_INVALID_OPTIONS.+CLICKHOUSE_PASSWORD_FILE names, \/nowhere\/password, cannot be read \(ENOENT\)/s,
  )
})

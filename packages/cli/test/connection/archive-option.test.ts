import { expect, test } from 'vitest'
import { clickhouseAt } from '../../src/connection/archive-option.ts'

const env = { CLICKHOUSE_URL: 'http://elsewhere:8123', CLICKHOUSE_USER: 'malha', CLICKHOUSE_PASSWORD: 'known' }

test('the archive is read as the user of the environment, with its password', () => {
  const url = 'http://clickhouse:8123'
  expect(clickhouseAt(url, env)).toEqual({ url, username: 'malha', password: 'known' })
  expect(clickhouseAt(url, {})).toEqual({ url })
})

test('an address that names a user is given no password of another', () => {
  const url = 'http://reader:own@clickhouse:8123'
  expect(clickhouseAt(url, env)).toEqual({ url })
})

test('a password that cannot be read is named by its file, and the archive is not asked without one', () => {
  const unread = { ...env, CLICKHOUSE_PASSWORD_FILE: '/nowhere/clickhouse-password' }
  expect(() => clickhouseAt('http://clickhouse:8123', unread)).toThrow(/\/nowhere\/clickhouse-password.+ENOENT/)
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startClickHouse } from '../src/index.ts'
import { isAlive, until } from './fixtures/processes.ts'
import { tempDir } from './fixtures/temp-dir.ts'

async function query(url: string, sql: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: sql })
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text.trim()
}

test('acknowledged rows are still there after SIGTERM and after SIGKILL, on the same folder and port', async () => {
  await using dir = await tempDir()
  const first = await startClickHouse({ dataDir: dir.path })
  await query(first.url, 'CREATE DATABASE shop ENGINE = Atomic')
  await query(first.url, 'CREATE TABLE shop.orders (id UInt32) ENGINE = MergeTree ORDER BY id')
  await query(first.url, 'INSERT INTO shop.orders SETTINGS async_insert = 0 VALUES (1)')
  await first.stop()
  expect(await isAlive(first.pid ?? 0)).toBe(false)

  const second = await startClickHouse({ dataDir: dir.path, port: first.port })
  await query(second.url, 'INSERT INTO shop.orders SETTINGS async_insert = 0 VALUES (2)')
  second.kill()
  // Not awaited on purpose: the next start waits for the folder itself.
  await using third = await startClickHouse({ dataDir: dir.path, port: first.port })
  expect(await query(third.url, 'SELECT groupArray(id) FROM (SELECT id FROM shop.orders ORDER BY id)')).toBe('[1,2]')
})

test('a port taken by another ClickHouse is an error that names port and flag, not an answer from the other one', async () => {
  await using dir = await tempDir()
  await using other = await startClickHouse({ dataDir: join(dir.path, 'other') })
  const start = startClickHouse({ dataDir: join(dir.path, 'mine'), port: other.port, flag: '--clickhouse-port' })
  await expect(start).rejects.toMatchObject({
    code: 'STACK_PORT_TAKEN',
    port: other.port,
    message: expect.stringMatching(new RegExp(`port ${other.port}\\b.*--clickhouse-port`)) as string,
  })
})

test('CLICKHOUSE_URL is used as it is and is not stopped', async () => {
  const server = createServer((_request, response) => response.end('26.3.1.1\n')).listen(0, '127.0.0.1')
  await until(() => server.listening)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const external = await startClickHouse({ dataDir: '/nowhere', env: { CLICKHOUSE_URL: url } })
  expect(external).toMatchObject({ url, backend: 'external', version: '26.3.1.1', pid: undefined })
  await external.stop()
  expect(await query(url, 'SELECT version()')).toBe('26.3.1.1')
  server.closeAllConnections()
  server.close()
})

test('a CLICKHOUSE_URL nobody answers at is an error without the password in it', async () => {
  const env = { CLICKHOUSE_URL: 'http://reader:hunter22@127.0.0.1:1/' }
  const start = startClickHouse({ dataDir: '/nowhere', env })
  await expect(start).rejects.toMatchObject({
    code: 'STACK_NOT_READY',
    message: expect.not.stringContaining('hunter22') as string,
  })
})

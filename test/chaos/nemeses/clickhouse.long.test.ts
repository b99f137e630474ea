import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@malha/stack'
import { afterAll, expect, test } from 'vitest'
import { startDatabase } from '../system/database.ts'
import { openLinks } from '../system/links.ts'
import type { ChaosSystem } from '../system.ts'
import { failingClickhouse, killClickhouse, refuseClickhouse, slowClickhouse, stopClickhouse } from './clickhouse.ts'
import { picking } from './picking.ts'

const opened = new AsyncDisposableStack()
afterAll(() => opened.disposeAsync())
const folder = await mkdtemp(join(tmpdir(), 'malha-nemeses-'))
opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
const links = opened.use(openLinks())
const [port] = (await freePorts(1)) as [number]
const { process } = opened.use(await startDatabase({ folder, port: () => port, onLine: () => () => undefined }))
const proxied = `http://127.0.0.1:${await links.between('archive', 'clickhouse', port)}`
const clickhouseUrl = `http://127.0.0.1:${port}`
// Only what these nemeses look at: the others have brokers and services of their own.
const system = { processes: [process], links: links.all, clickhouseUrl } as unknown as ChaosSystem

async function say(statement: string, url = proxied): Promise<string> {
  const answer = await fetch(url, { method: 'POST', body: statement, headers: { connection: 'close' } })
  return (await answer.text()).trim()
}

test.for([
  ['kill', killClickhouse],
  ['stop', stopClickhouse],
  ['refuse', refuseClickhouse],
] as const)('%s-clickhouse: nobody answers until the end, which may come twice', async ([, nemesis]) => {
  const { end } = await nemesis.begin(system, picking())
  await expect(say('SELECT 1')).rejects.toThrow('fetch failed')
  await end()
  await end()
  expect(await say('SELECT 1')).toBe('1')
})

test('slow-clickhouse answers seconds later', async () => {
  const { end } = await slowClickhouse.begin(system, picking())
  const askedAt = performance.now()
  expect(await say('SELECT 1')).toBe('1')
  expect(performance.now() - askedAt).toBeGreaterThan(2_999)
  await end()
})

test('failing-clickhouse refuses inserts until the end, and answers all else', async () => {
  await say('CREATE DATABASE archive')
  await say('CREATE TABLE archive.events (n Int32) ENGINE = ReplacingMergeTree ORDER BY n')
  await say('INSERT INTO archive.events VALUES (1)')
  const { end } = await failingClickhouse.begin(system, picking())
  expect(await say('INSERT INTO archive.events VALUES (2)')).toMatch(/TOO_MANY_PARTS/)
  expect(await say('SELECT count() FROM archive.events')).toBe('1')
  await process.kill()
  await Promise.all([end(), process.start()])
  await say('INSERT INTO archive.events VALUES (3)')
  expect(await say('SELECT count() FROM archive.events')).toBe('2')
})

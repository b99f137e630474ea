import { fileURLToPath } from 'node:url'
import { type Child, freePorts, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { auditArchive } from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers({ clickhouse: 'later' })
})
afterAll(async () => await servers[Symbol.asyncDispose]())

const { PATH, NODE_COMPILE_CACHE } = process.env
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

type Process = AsyncDisposable & { child: Child; lines: string[]; health: string }

async function start(env: Record<string, string>): Promise<Process> {
  const [port = 0] = await freePorts(1)
  const lines: string[] = []
  const child = spawnChild({
    command: process.execPath,
    args: [MAIN],
    env: { PATH, NODE_COMPILE_CACHE, NATS_URL: servers.natsUrl, HEALTH_PORT: String(port), ...env },
    onLine: (line) => lines.push(line),
  })
  const stop = async (): Promise<void> => void (await child.stop())
  return { child, lines, health: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop }
}

test(
  'the process is ready only once it writes, shows its metrics, speaks JSON, and ends with 0 when told to',
  { timeout: 180_000 },
  async () => {
    const namespace = servers.namespace()
    const url = new URL(servers.clickhouse.url)
    url.username = 'default'
    await servers.stream(`${namespace}_CENTERS`, { subjects: [`${namespace}.c`] })
    await servers.publish(`${namespace}.c`, 100)
    await using archive = await start({ CLICKHOUSE_URL: url.href, MALHA_NAMESPACE: namespace })
    await eventually(async () => {
      const answer = await fetch(`${archive.health}/readyz`)
      expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(/ECONNREFUSED/)])
    })
    await servers.clickhouse.start()
    await eventually(async () => {
      const answer = await fetch(`${archive.health}/readyz`)
      expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)])
    })
    const clickhouse = { url: servers.clickhouse.url }
    const audit = await auditArchive({ nats: servers.nats, namespace, clickhouse, waitMs: 40_000 })
    expect(audit).toMatchObject({ clean: true, totals: { archived: 100 } })
    // Rows are there before the process has heard that they are.
    const counted = new RegExp(`mesh_archive_rows_total\\{.*stream="${namespace}_CENTERS".*\\} 100`)
    await eventually(async () => expect(await (await fetch(`${archive.health}/metrics`)).text()).toMatch(counted))

    archive.child.kill('SIGTERM')
    expect(await archive.child.exited).toMatchObject({ code: 0 })
    for (const line of archive.lines) expect(JSON.parse(line)).toMatchObject({ level: expect.anything() })
  },
)

test('settings that are wrong are told all at once, without a secret, and end the process with 1', async () => {
  await using archive = await start({ CLICKHOUSE_URL: 'reader:s3cret@nowhere', MALHA_NAMESPACE: 'Not Fit' })
  expect(await archive.child.exited).toMatchObject({ code: 1 })
  const said = archive.lines.join('\n')
  expect(said).toMatch(/ARCHIVE_INVALID_OPTIONS/)
  expect(said).toMatch(/ClickHouse URL/)
  expect(said).toMatch(/MALHA_NAMESPACE/)
  expect(said).not.toMatch(/s3cret/)
})

test('a password that is refused is not in any line', async () => {
  await servers.clickhouse.start()
  const url = new URL(servers.clickhouse.url)
  url.username = 'nobody'
  url.password = 's3cret'
  await using archive = await start({
    CLICKHOUSE_URL: url.href,
    LOG_LEVEL: 'debug',
    MALHA_NAMESPACE: servers.namespace(),
  })
  await eventually(async () => {
    const said = await (await fetch(`${archive.health}/readyz`)).text()
    expect(said).toMatch(/Authentication failed/)
    expect(said).not.toMatch(/s3cret/)
  })
  expect(archive.lines.join('\n')).not.toMatch(/s3cret/)
})

import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveStreams, auditArchive } from '../src/index.ts'
import { recordedLog, recordedMetrics } from './support/recorded.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers({ clickhouse: 'later' })
})
afterAll(async () => await servers[Symbol.asyncDispose]())

test(
  'with ClickHouse away from the start it is tried for ever, not ready and saying why, and nothing is lost once it comes',
  { timeout: 240_000 },
  async () => {
    const namespace = servers.namespace()
    const name = `${namespace}_CENTERS`
    const clickhouse = { url: servers.clickhouse.url }
    const { log, lines } = recordedLog()
    await servers.stream(name, { subjects: [`${namespace}.c`] })
    await servers.publish(`${namespace}.c`, 2_000)
    await expect(auditArchive({ nats: servers.nats, namespace, clickhouse })).rejects.toThrow(/ARCHIVE_UNREACHABLE/)

    const options = { pollMs: 100, leaseMs: 1_000, log }
    await using running = archiveStreams({ nats: servers.nats, namespace }, clickhouse, options)
    await eventually(() => {
      const { ready, reasons } = running.health()
      expect(ready).toBe(false)
      expect(reasons.join()).toMatch(/ClickHouse at 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
      expect(reasons.join()).toMatch(/stream .*_CENTERS: not stored since/)
    })
    await servers.publish(`${namespace}.c`, 1_000)
    await servers.clickhouse.start()
    const audit = { nats: servers.nats, namespace, clickhouse, waitMs: 40_000 }
    expect(await auditArchive(audit)).toMatchObject({ clean: true, totals: { compared: 3_000, archived: 3_000 } })
    await eventually(() => expect(running.health()).toMatchObject({ ready: true, reasons: [] }))

    // Once more, while it is at work: what is in hand is sent again under its token.
    await servers.clickhouse.kill()
    await servers.publish(`${namespace}.c`, 1_000)
    await eventually(() => expect(running.health().ready).toBe(false))
    await servers.clickhouse.start()
    expect(await auditArchive(audit)).toMatchObject({ clean: true, totals: { compared: 4_000, duplicates: 0 } })
    expect(lines.filter((line) => line.level === 'warn').length).toBeLessThan(20)
  },
)

test(
  'an alarm at 50 and at 80 percent of the retention says when the first event is lost; past it there is a gap',
  { timeout: 240_000 },
  async () => {
    const namespace = servers.namespace()
    const name = `${namespace}_CENTERS`
    const maxAgeMs = 12_000
    const { log, lines } = recordedLog()
    const { metrics, value } = recordedMetrics()
    const nanos = maxAgeMs * 1e6
    await servers.stream(name, { subjects: [`${namespace}.c`], max_age: nanos, duplicate_window: nanos })
    await servers.clickhouse.kill()
    const before = Date.now()
    await servers.publish(`${namespace}.c`, 10)
    const after = Date.now()
    const options = { pollMs: 50, leaseMs: 1_000, log, metrics }
    const clickhouse = { url: servers.clickhouse.url }
    await using _ = archiveStreams({ nats: servers.nats, namespace }, clickhouse, options)
    const alarms = () => lines.filter((line) => /% of the time stream/.test(line.message))
    await eventually(() => expect(alarms()).toHaveLength(2))
    expect(alarms().map((line) => /(\d+) %/.exec(line.message)?.[1])).toEqual(['50', '80'])
    const firstLoss = Date.parse(String(alarms()[0]?.fields['firstLossAt']))
    expect(firstLoss - maxAgeMs).toBeGreaterThanOrEqual(before - 1_000)
    expect(firstLoss - maxAgeMs).toBeLessThanOrEqual(after + 1_000)
    expect(value('mesh_archive_retention_used_ratio', name)).toBeGreaterThan(0.5)
    expect(value('mesh_archive_lag_messages', name)).toBe(10)

    await eventually(async () => (await servers.jsm.streams.info(name)).state.messages === 0)
    await servers.clickhouse.start()
    await servers.publish(`${namespace}.c`, 5)
    const report = await auditArchive({ nats: servers.nats, namespace, clickhouse, waitMs: 40_000 })
    expect(report).toMatchObject({ clean: false, totals: { lost: 10, archived: 5, missing: 0 } })
    await eventually(() => expect(value('mesh_archive_lag_messages', name)).toBe(0))
  },
)

test('dropped tables are made again and filled again from the stream', { timeout: 240_000 }, async () => {
  await servers.clickhouse.start()
  const namespace = servers.namespace()
  const clickhouse = { url: servers.clickhouse.url }
  await servers.stream(`${namespace}_CENTERS`, { subjects: [`${namespace}.c`] })
  await servers.publish(`${namespace}.c`, 100)
  const options = { pollMs: 100, leaseMs: 1_000 }
  await using _ = archiveStreams({ nats: servers.nats, namespace }, clickhouse, options)
  const audit = { nats: servers.nats, namespace, clickhouse, waitMs: 40_000 }
  expect(await auditArchive(audit)).toMatchObject({ clean: true, totals: { archived: 100 } })
  await servers.clickhouse.run('DROP DATABASE archive SYNC')
  await servers.publish(`${namespace}.c`, 1)
  await eventually(
    async () => expect(await auditArchive(audit)).toMatchObject({ clean: true, totals: { archived: 101 } }),
    { timeoutMs: 90_000 },
  )
})

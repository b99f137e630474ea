import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { auditArchive, migrateArchive } from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

const PROGRAM = fileURLToPath(new URL('./support/archiver-process.ts', import.meta.url))
const EVENTS = 50_000
const ROUNDS = 12

test(
  `${EVENTS} events through ${ROUNDS} SIGKILLs of the archiver and of ClickHouse by turns are archived exactly once`,
  { timeout: 180_000 },
  async () => {
    const namespace = servers.namespace()
    const name = `${namespace}_CENTERS`
    const clickhouse = { url: servers.clickhouse.url }
    await servers.stream(name, { subjects: [`${namespace}.c`] })
    // A merge would hide a double from the count of physical rows; this keeps every part as it was inserted, for good.
    await migrateArchive({ nats: servers.nats, namespace, clickhouse })
    await servers.clickhouse.run(
      'ALTER TABLE archive.events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1',
    )
    // Two at once, as in a deployment of two replicas: when one dies the other takes over, and one of them may lag.
    const env = { ...process.env, NATS_URL: servers.natsUrl, CLICKHOUSE_URL: clickhouse.url, NAMESPACE: namespace }
    const start = (): Child => spawnChild({ command: process.execPath, args: [PROGRAM], env })
    const archivers: Child[] = [start(), start()]
    const publishing = servers.publish(`${namespace}.c`, EVENTS, { payload: (n) => Buffer.alloc(200, n % 256) })

    try {
      let killedInFlight = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = await rowsOf(name)
        // A kill only counts while there is work, so each waits until the archive has moved since the last one.
        await eventually(async () => expect(await rowsOf(name)).toBeGreaterThan(before), { timeoutMs: 20_000 })
        // Not always at the same point of an insert.
        await sleep(Math.random() * 80)
        if ((await rowsOf(name)) < EVENTS) killedInFlight += 1
        if (round % 2 === 0) {
          const dying = archivers.splice(round % archivers.length, 1)
          for (const child of dying) {
            child.kill('SIGKILL')
            await child.exited
            archivers.push(start())
          }
        } else {
          await servers.clickhouse.kill()
          await servers.clickhouse.start()
        }
      }
      await publishing
      const report = await auditArchive({ nats: servers.nats, namespace, clickhouse, waitMs: 40_000 })
      expect(report.totals).toEqual({
        compared: EVENTS,
        archived: EVENTS,
        missing: 0,
        deleted: 0,
        duplicates: 0,
        conflicts: 0,
        ahead: 0,
        deadLetters: 0,
        lost: 0,
        lag: 0,
      })
      expect(report.clean).toBe(true)
      expect(killedInFlight).toBeGreaterThanOrEqual(10)
    } finally {
      for (const child of archivers) child.kill('SIGKILL')
      await Promise.all(archivers.map(async (child) => await child.exited))
    }
  },
)

async function rowsOf(stream: string): Promise<number> {
  const query = `SELECT toUInt32(count()) AS n FROM archive.events WHERE stream = '${stream}'`
  const [row] = await servers.clickhouse.sql<{ n: number }>(query).catch(() => [])
  return row?.n ?? 0
}

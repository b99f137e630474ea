import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { headers, type MsgHdrs } from '@nats-io/transport-node'
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
const PORTION = 2_000
const BACKLOG = 20_000

test(
  `at least ${EVENTS} events through ${ROUNDS} SIGKILLs of the archiver and of ClickHouse by turns are archived exactly once`,
  { timeout: 300_000 },
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
    const feed = startFeed({ stream: name, subject: `${namespace}.c` })

    try {
      let killedInFlight = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = await eventually(async () => await rowsOf(name))
        // A kill only counts while there is work, so each waits until the archive has moved since the last one.
        const moved = async (): Promise<void> => {
          feed.check()
          expect(await rowsOf(name)).toBeGreaterThan(before)
        }
        await eventually(moved, { timeoutMs: 60_000 })
        // Not always at the same point of an insert.
        await sleep(Math.random() * 80)
        if ((await backlogOf(name)) > 0) killedInFlight += 1
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
      const published = await feed.stop(EVENTS)
      const report = await auditArchive({ nats: servers.nats, namespace, clickhouse, waitMs: 120_000 })
      expect(report.totals).toEqual({
        compared: published,
        archived: published,
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
      expect(published).toBeGreaterThanOrEqual(EVENTS)
      expect(killedInFlight).toBeGreaterThanOrEqual(10)
    } finally {
      for (const child of archivers) child.kill('SIGKILL')
      await Promise.all([feed.stop(0), ...archivers.map(async (child) => await child.exited)])
    }
  },
)

type Feed = {
  /** Throws what ended the feed before its time. */
  check(): void
  /** Ends it, tops it up to `atLeast` events, and gives how many the stream took in all. */
  stop(atLeast: number): Promise<number>
}

/**
 * Publishes for as long as the kills last, so that there is work however fast the archive is, and never further ahead of it
 * than it can catch up with after the last one.
 */
function startFeed({ stream, subject }: { stream: string; subject: string }): Feed {
  const stopping = new AbortController()
  let published = 0
  let fault: unknown
  const feeding = (async () => {
    while (!stopping.signal.aborted) {
      const archived = await rowsOf(stream).catch(() => 0) // ClickHouse is away
      if (published - archived > BACKLOG) await sleep(25)
      else published = await publishPortion(subject, published)
    }
  })().catch((error: unknown) => {
    fault = error
  })
  const check = (): void => {
    if (fault !== undefined) throw fault
  }
  return {
    check,
    async stop(atLeast) {
      stopping.abort()
      await feeding
      check()
      while (published < atLeast) published = await publishPortion(subject, published)
      return published
    },
  }
}

/** Waits for the answer to the last one only: a feed that waited for each would be slower than the archive. */
async function publishPortion(subject: string, from: number): Promise<number> {
  const message = (n: number): [Uint8Array, { headers: MsgHdrs }] => {
    const head = headers()
    head.set('ce-id', `${subject}-${n}`)
    head.set('ce-type', subject)
    return [Buffer.alloc(200, n % 256), { headers: head }]
  }
  const last = from + PORTION - 1
  for (let n = from; n < last; n += 1) servers.nats.publish(subject, ...message(n))
  const { seq } = await servers.js.publish(subject, ...message(last))
  expect(seq).toBe(last + 1)
  return seq
}

/** Events the archive does not have; rather too few than too many. */
async function backlogOf(stream: string): Promise<number> {
  const { state } = await servers.jsm.streams.info(stream)
  return state.last_seq - (await rowsOf(stream))
}

async function rowsOf(stream: string): Promise<number> {
  const query = `SELECT toUInt32(count()) AS n FROM archive.events WHERE stream = '${stream}'`
  const [row] = await servers.clickhouse.sql<{ n: number }>(query)
  return row?.n ?? 0
}

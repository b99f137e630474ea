import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveStreams, auditArchive } from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

test(
  'a ClickHouse that lost its disk is filled again from all streams by itself, under load; what they no longer have is said as a gap',
  { timeout: 120_000 },
  async () => {
    const namespace = servers.namespace()
    const clickhouse = { url: servers.clickhouse.url }
    const subjects = { CENTERS: 'c', MESH: 'mesh.a', DEAD_LETTERS: 'dlq.a', OPERATIONS: 'ops.a', AUDIT: 'audit.a' }
    for (const [name, subject] of Object.entries(subjects)) {
      await servers.stream(`${namespace}_${name}`, { subjects: [`${namespace}.${subject}`] })
      await servers.publish(`${namespace}.${subject}`, 200)
    }
    await using _ = archiveStreams({ nats: servers.nats, namespace }, clickhouse, { pollMs: 100, leaseMs: 1_000 })
    const audit = { nats: servers.nats, namespace, clickhouse, waitMs: 40_000 }
    expect(await auditArchive(audit)).toMatchObject({ clean: true, totals: { compared: 1_000, archived: 1_000 } })
    // From here on only ClickHouse has them.
    await servers.jsm.streams.purge(`${namespace}_CENTERS`, { seq: 51 })

    await using load = loadOf(`${namespace}.c`)
    await servers.clickhouse.lose()
    await servers.clickhouse.start()
    const gap = { first: 1, last: 50, reason: 'expired' }
    await eventually(
      async () => {
        const { totals, streams } = await auditArchive(audit)
        expect(totals).toMatchObject({ lost: 50, missing: 0, duplicates: 0, conflicts: 0, ahead: 0, deadLetters: 0 })
        expect(streams.flatMap(({ gaps }) => gaps)).toMatchObject([gap])
        expect(totals.compared).toBeGreaterThan(1_000)
      },
      { timeoutMs: 60_000 },
    )
    await load[Symbol.asyncDispose]()
    const { streams } = await auditArchive(audit)
    expect(streams.map(({ archived, range }) => [archived, range?.last])).toEqual(
      streams.map(({ range }) => [range!.last - range!.first + 1, range!.last]),
    )
    expect(streams.filter(({ clean }) => !clean).map(({ stream }) => stream)).toEqual([`${namespace}_CENTERS`])
  },
)

/** Publishes until it is disposed of. */
function loadOf(subject: string): AsyncDisposable {
  const over = new AbortController()
  const load = (async () => {
    for (let round = 0; !over.signal.aborted; round += 1)
      await servers.publish(subject, 20, { id: (n) => `load-${round}-${n}` })
  })()
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await load
    },
  }
}

import { eventually, faultProxy } from '@malha/testing'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveStreams } from '../src/index.ts'
import { openLeaseBucket } from '../src/lease/lease-bucket.ts'
import { tryLease } from '../src/lease/lease.ts'
import { recordedLog, recordedMetrics } from './support/recorded.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

test(
  'a lease is kept though each answer comes as late as two of them may within its term',
  { timeout: 60_000 },
  async () => {
    await using proxy = await faultProxy({ target: servers.natsUrl })
    const nats = await connect({ servers: proxy.url })
    const namespace = servers.namespace()
    const bucket = await openLeaseBucket(nats, namespace)
    const direct = await openLeaseBucket(servers.nats, namespace)
    proxy.delay(850, 'toClient')
    const lease = await tryLease(bucket, { key: 'writer.S', ttlMs: 3_000, holder: 'here' })
    const revision = async (): Promise<number> => (await direct.kv.get('writer.S'))?.revision ?? 0
    const first = await revision()
    await eventually(
      async () => {
        if (lease!.lost.aborted) return
        expect(await revision()).toBeGreaterThan(first + 4)
      },
      { timeoutMs: 40_000 },
    )
    expect(lease!.lost.aborted).toBe(false)
    proxy.delay(0)
    await lease!.release()
    await nats.close()
  },
)

test(
  'rows are counted whose insert was carried out, though its answer was not waited for as the lease ran out',
  { timeout: 120_000 },
  async () => {
    await using broker = await faultProxy({ target: servers.natsUrl })
    await using database = await faultProxy({ target: servers.clickhouse.url })
    const namespace = servers.namespace()
    const name = `${namespace}_CENTERS`
    await servers.stream(name, { subjects: [`${namespace}.c`] })
    const nats = await connect({ servers: broker.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
    const { log, lines } = recordedLog()
    const { metrics, value } = recordedMetrics()
    const rows = (): number | undefined => value('mesh_archive_rows_total', name)
    const inTable = async (): Promise<unknown> =>
      (
        await servers.clickhouse.sql<{ n: string }>(`SELECT count() AS n FROM archive.events WHERE stream = '${name}'`)
      )[0]?.n
    const options = { pollMs: 100, leaseMs: 1_000, log, metrics }
    await using _ = archiveStreams({ nats, namespace }, { url: database.url }, options)
    await servers.publish(`${namespace}.c`, 100)
    await eventually(() => expect(rows()).toBe(100), { timeoutMs: 60_000 })
    // Late answers, until the insert is carried out; then none.
    database.delay(1_500, 'toClient')
    await servers.publish(`${namespace}.c`, 1, { id: () => 'late' })
    await eventually(async () => expect(Number(await inTable())).toBe(101))
    database.stall('toClient')
    const ranOut = (): number => lines.filter(({ message }) => message.includes('the lease ran out')).length
    const before = ranOut()
    broker.stall()
    await eventually(() => expect(ranOut()).toBeGreaterThan(before))
    broker.resume()
    database.resume()
    database.delay(0)
    await servers.publish(`${namespace}.c`, 9, { id: (n) => `more-${n}` })
    await eventually(async () => expect(Number(await inTable())).toBe(110), { timeoutMs: 60_000 })
    await eventually(() => expect(rows()).toBe(110))
    await nats.close()
  },
)

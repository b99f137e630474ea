import { headers } from '@nats-io/transport-node'
import { eventually } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArchiveOptions, archiveStreams, auditArchive, type RunningArchive } from '../src/index.ts'
import { recordedLog, recordedMetrics } from './support/recorded.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

/** The lease is longer than a busy machine may keep this process waiting: nobody else takes it meanwhile. */
const quick = { pollMs: 100, leaseMs: 10_000 }

function archive(namespace: string, options: ArchiveOptions = {}): RunningArchive {
  return archiveStreams({ nats: servers.nats, namespace }, { url: servers.clickhouse.url }, { ...quick, ...options })
}

const audit = async (namespace: string) =>
  await auditArchive({
    nats: servers.nats,
    namespace,
    clickhouse: { url: servers.clickhouse.url },
    waitMs: 40_000,
  })

async function rowsOf(stream: string) {
  return await servers.clickhouse.sql<{ seq: string; epoch: number; event_id: string; hex: string }>(
    `SELECT toString(seq) AS seq, epoch, event_id, hex(payload) AS hex, subject FROM archive.events WHERE stream = '${stream}' ORDER BY epoch, seq`,
  )
}

test('payloads of any bytes are archived as they are, headers of any kind beside them', async () => {
  const ns = servers.namespace()
  await servers.stream(`${ns}_CENTERS`, { subjects: [`${ns}.center.>`] })
  const payloads = [
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
    Buffer.from('{"a":1.0,"b":1e3,"a":2} \ud83d\ude00 é'),
    Buffer.alloc(0),
    Buffer.alloc(900_000, 0xff),
  ]
  for (const [n, payload] of payloads.entries()) {
    const head = headers()
    head.append('x-many', 'one')
    head.append('x-many', `two ${n}`)
    await servers.js.publish(`${ns}.center.x`, payload, n === 0 ? {} : { headers: head })
  }
  await using running = archive(ns)
  const report = await audit(ns)
  expect(report).toMatchObject({ clean: true, totals: { compared: 4, archived: 4 } })
  const rows = await rowsOf(`${ns}_CENTERS`)
  expect(rows.map((row) => row.hex)).toEqual(payloads.map((one) => Buffer.from(one).toString('hex').toUpperCase()))
  const [second] = await servers.clickhouse.sql<{ headers: object }>(
    `SELECT headers FROM archive.events WHERE stream = '${ns}_CENTERS' AND seq = 2`,
  )
  expect(second?.headers).toEqual({ 'x-many': ['one', 'two 1'] })
  await eventually(() => running.health().ready)
})

test('a message larger than a whole batch is archived', async () => {
  const ns = servers.namespace()
  await servers.stream(`${ns}_BIG`, { subjects: [`${ns}.big`] })
  await servers.publish(`${ns}.big`, 3, { payload: (n) => Buffer.alloc(n === 1 ? 60_000 : 10, 1) })
  await using _ = archive(ns, { batchBytes: 20_000 })
  expect(await audit(ns)).toMatchObject({ clean: true, totals: { compared: 3 } })
})

test('a stream that comes later is found; lanes, buckets, other namespaces and strangers are left alone', async () => {
  const ns = servers.namespace()
  await using running = archive(ns)
  await servers.stream(`${ns}_LANES_X`, {
    subjects: [`${ns}.lane.>`],
    metadata: { 'malha.format': '1', 'malha.kind': 'lanes' },
  })
  await servers.stream(`${ns}_FOREIGN`, { subjects: [`${ns}.foreign`], metadata: {} })
  await servers.stream(`${ns}x_CENTERS`, { subjects: [`${ns}x.center`] })
  await servers.stream(`${ns}_CENTERS`, { subjects: [`${ns}.center`] })
  for (const subject of [`${ns}.lane.a`, `${ns}.foreign`, `${ns}x.center`, `${ns}.center`])
    await servers.publish(subject, 2)
  await eventually(() => expect(running.health().streams).toEqual({ [`${ns}_CENTERS`]: 'writing' }))
  expect((await audit(ns)).streams.map((one) => [one.stream, one.archived])).toEqual([[`${ns}_CENTERS`, 2]])
})

test('a re-created stream counts from 1 again and is another epoch: nothing is replaced', async () => {
  const ns = servers.namespace()
  const name = `${ns}_CENTERS`
  await servers.stream(name, { subjects: [`${ns}.c`] })
  await servers.publish(`${ns}.c`, 20, { id: (n) => `old-${n}` })
  await using _ = archive(ns)
  await audit(ns)
  const [before] = await servers.clickhouse.sql<{ epoch: number }>(
    `SELECT epoch FROM archive.events WHERE stream = '${name}' LIMIT 1`,
  )
  await servers.jsm.streams.delete(name)
  // Epochs are seconds.
  await eventually(() => Math.floor(Date.now() / 1000) > (before?.epoch ?? 0))
  await servers.stream(name, { subjects: [`${ns}.c`] })
  await servers.publish(`${ns}.c`, 30, { id: (n) => `new-${n}` })
  const report = await audit(ns)
  expect(report).toMatchObject({ clean: true, totals: { archived: 50, missing: 0 } })
  expect(report.streams.map((one) => [one.current, one.archived, one.deleted])).toEqual([
    [false, 20, 20],
    [true, 30, 0],
  ])
})

test('of two archivers one writes; when it stops the other goes on, without a double or a hole', async () => {
  const ns = servers.namespace()
  const name = `${ns}_CENTERS`
  await servers.stream(name, { subjects: [`${ns}.c`] })
  const first = recordedMetrics()
  const second = recordedMetrics()
  const one = archive(ns, { metrics: first.metrics })
  await eventually(() => expect(one.health().streams[name]).toBe('writing'))
  await using two = archive(ns, { metrics: second.metrics })
  await servers.publish(`${ns}.c`, 1_000)
  await audit(ns)
  await eventually(() => expect(two.health()).toMatchObject({ ready: true, streams: { [name]: 'standby' } }))
  expect(second.value('mesh_archive_rows_total', name)).toBeUndefined()
  await one.stop()
  await servers.publish(`${ns}.c`, 1_000)
  expect(await audit(ns)).toMatchObject({ clean: true, totals: { compared: 2_000, archived: 2_000, duplicates: 0 } })
  expect(second.value('mesh_archive_rows_total', name)).toBeGreaterThan(0)
})

test('stop() stores what has been received', async () => {
  const ns = servers.namespace()
  const name = `${ns}_CENTERS`
  await servers.stream(name, { subjects: [`${ns}.c`] })
  // Nothing would be due for an hour: what is in the table afterwards, stop() has put there.
  const running = archive(ns, { flushMs: 3_600_000, paceMs: 3_600_000 })
  await servers.publish(`${ns}.c`, 1)
  await eventually(async () => expect(await rowsOf(name)).toHaveLength(1))
  await servers.publish(`${ns}.c`, 5)
  await eventually(async () => {
    const consumers = await servers.jsm.consumers.list(name).next()
    return consumers.length === 1 && consumers[0]?.delivered.consumer_seq === 6
  })
  await running.stop()
  expect(await rowsOf(name)).toHaveLength(6)
})

test('events that left the stream before they were archived are a gap, an alarm and not clean; deleted ones are a gap only', async () => {
  const ns = servers.namespace()
  const name = `${ns}_CENTERS`
  const { log, lines } = recordedLog()
  await servers.stream(name, { subjects: [`${ns}.c`] })
  await servers.publish(`${ns}.c`, 100)
  await servers.jsm.streams.purge(name, { seq: 41 })
  await servers.jsm.streams.deleteMessage(name, 60)
  await using _ = archive(ns, { log })
  const report = await audit(ns)
  expect(report).toMatchObject({ clean: false, totals: { lost: 40, missing: 0, archived: 59 } })
  expect(report.streams[0]?.gaps.map(({ first, last, reason }) => ({ first, last, reason }))).toEqual([
    { first: 1, last: 40, reason: 'expired' },
    { first: 60, last: 60, reason: 'deleted' },
  ])
  expect(lines.find((line) => line.level === 'error')?.message).toMatch(/40 events of stream .* left it before/)
})

test('a broker killed and started again is written on from by itself', async () => {
  const ns = servers.namespace()
  await servers.stream(`${ns}_CENTERS`, { subjects: [`${ns}.c`] })
  await using running = archive(ns)
  await servers.publish(`${ns}.c`, 500)
  await audit(ns)
  await servers.restartNats()
  await eventually(async () => await servers.publish(`${ns}.c`, 1))
  await servers.publish(`${ns}.c`, 500)
  const report = await audit(ns)
  expect(report).toMatchObject({ clean: true, totals: { missing: 0, duplicates: 0, lag: 0 } })
  expect(report.totals.compared).toBeGreaterThanOrEqual(1_001)
  await eventually(() => expect(running.health().ready).toBe(true))
})

test('a stream that lost its last events in a crash is not written on: its numbers mean something else now', async () => {
  const ns = servers.namespace()
  const name = `${ns}_CENTERS`
  await servers.stream(name, { subjects: [`${ns}.c`] })
  await servers.publish(`${ns}.c`, 10)
  const first = archive(ns)
  await audit(ns)
  await first.stop()
  const [row] = await servers.clickhouse.sql<{ epoch: number }>(
    `SELECT epoch FROM archive.events WHERE stream = '${name}' LIMIT 1`,
  )
  const cells = `'${name}', ${row?.epoch}, 11, 's', now64(9), 'c3RvcmVkIG9uY2U='`
  await servers.clickhouse.run(
    `INSERT INTO archive.events (stream, epoch, seq, subject, published_at, payload_b64) VALUES (${cells})`,
  )
  await servers.publish(`${ns}.c`, 1, { id: () => 'another eleventh' })
  await using second = archive(ns)
  await eventually(() => expect(second.health().reasons.join()).toMatch(/ARCHIVE_STREAM_BEHIND.*ALTER TABLE/))
  expect(await audit(ns)).toMatchObject({ clean: false, totals: { conflicts: 1 } })
})

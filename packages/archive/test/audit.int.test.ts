import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArchiveAudit, archiveStreams, auditArchive } from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

/** A namespace with one stream of 1000 events, as a mesh makes it, all archived, no archiver running. */
async function archived(allow_direct = true): Promise<{ name: string; audit: () => Promise<ArchiveAudit> }> {
  const namespace = servers.namespace()
  const name = `${namespace}_CENTERS`
  const clickhouse = { url: servers.clickhouse.url }
  await servers.stream(name, { subjects: [`${namespace}.c`], allow_direct })
  await servers.publish(`${namespace}.c`, 1_000)
  const audit = async () => await auditArchive({ nats: servers.nats, namespace, clickhouse, waitMs: 40_000 })
  const running = archiveStreams({ nats: servers.nats, namespace }, clickhouse, { pollMs: 100 })
  expect(await audit()).toMatchObject({ clean: true, totals: { compared: 1_000, archived: 1_000, missing: 0, lag: 0 } })
  await running.stop()
  const quick = async () => await auditArchive({ nats: servers.nats, namespace, clickhouse })
  return { name, audit: quick }
}

async function remove(name: string, condition: string): Promise<void> {
  await servers.clickhouse.run('SYSTEM START MERGES archive.events') // a DELETE waits for them
  await servers.clickhouse.run(`DELETE FROM archive.events WHERE stream = '${name}' AND ${condition}`)
}

/** Inserts the row again, with another payload if that is given, and keeps both apart. */
async function plantDouble(name: string, seq: number, payload: string = 'payload'): Promise<void> {
  await servers.clickhouse.run('SYSTEM STOP MERGES archive.events')
  await servers.clickhouse.run(
    `INSERT INTO archive.events (stream, epoch, seq, subject, event_id, event_type, published_at, headers, payload)
     SELECT stream, epoch, seq, subject, event_id, event_type, published_at, headers, ${payload}
     FROM archive.events WHERE stream = '${name}' AND seq = ${seq}`,
  )
}

test('a planted missing row is found, in the middle and at the end', async () => {
  const { name, audit } = await archived()
  await remove(name, 'seq IN (300, 301)')
  expect(await audit()).toMatchObject({
    clean: false,
    totals: { missing: 2, lag: 0 },
    streams: [{ missing: { seqs: [300, 301] } }],
  })
  await remove(name, 'seq = 1000')
  expect(await audit()).toMatchObject({ clean: false, totals: { missing: 3, lag: 1 } })
})

test('a planted physical double is found while it is not merged', async () => {
  const { name, audit } = await archived()
  await plantDouble(name, 500)
  expect(await audit()).toMatchObject({
    clean: false,
    totals: { duplicates: 1, conflicts: 0, missing: 0, archived: 1_000 },
    streams: [{ duplicates: { seqs: [500] } }],
  })
})

test('a planted conflict is found, as a second row and in place of the first', async () => {
  const { name, audit } = await archived()
  await plantDouble(name, 500, "'other bytes'")
  expect(await audit()).toMatchObject({ clean: false, totals: { duplicates: 1, conflicts: 1 } })
  await remove(name, "seq = 500 AND payload != 'other bytes'")
  expect(await audit()).toMatchObject({
    clean: false,
    totals: { duplicates: 0, conflicts: 1 },
    streams: [{ conflicts: { seqs: [500] } }],
  })
})

test.each([
  ['read from replicas', true],
  ['read from its leader alone', false],
])('what retention removes and what is deleted in a stream %s is counted and clean', async (_, allow_direct) => {
  const { name, audit } = await archived(allow_direct)
  await servers.jsm.streams.purge(name, { seq: 101 })
  await servers.jsm.streams.deleteMessage(name, 700)
  await servers.jsm.streams.deleteMessage(name, 1_000)
  expect(await audit()).toMatchObject({
    clean: true,
    totals: { compared: 898, archived: 1_000, deleted: 102, missing: 0 },
  })
  await servers.jsm.streams.purge(name)
  expect(await audit()).toMatchObject({ clean: true, totals: { compared: 0, archived: 1_000, deleted: 1_000 } })
})

test('a row missing where the stream no longer reaches is found by the hole it leaves, and one explained by a gap is not', async () => {
  const { name, audit } = await archived()
  await servers.jsm.streams.purge(name, { seq: 501 })
  await remove(name, 'seq IN (200, 500)')
  expect(await audit()).toMatchObject({
    clean: false,
    totals: { missing: 2 },
    streams: [{ missing: { seqs: [200, 500] } }],
  })
  const [life] = await servers.clickhouse.sql<{ epoch: number }>(
    `SELECT epoch FROM archive.events WHERE stream = '${name}' LIMIT 1`,
  )
  for (const seq of [200, 500])
    await servers.clickhouse.run(
      `INSERT INTO archive.gaps (stream, epoch, first_seq, last_seq, reason) VALUES ('${name}', ${life?.epoch}, ${seq}, ${seq}, 'deleted')`,
    )
  expect(await audit()).toMatchObject({ clean: true, totals: { missing: 0 } })
})

test('an audit of an archive that is behind says how far', async () => {
  const { name, audit } = await archived()
  await servers.publish(name.replace('_CENTERS', '.c'), 7, { id: (n) => `late-${n}` })
  expect(await audit()).toMatchObject({ clean: false, totals: { lag: 7, missing: 7 } })
})

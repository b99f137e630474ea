import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArchivedEvent, archiveStreams, auditArchive, missingOf, type Past, readPast } from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

const EVENTS = 450

let servers: TestServers
let clickhouse: { url: string }
let epoch: number

beforeAll(async () => {
  servers = await testServers()
  clickhouse = { url: servers.clickhouse.url }
  await servers.stream('JOBS', { subjects: ['job.>'] })
  await servers.publish('job.made', EVENTS)
  await using _ = archiveStreams({ nats: servers.nats }, clickhouse, { pollMs: 100 })
  const { clean } = await auditArchive({ nats: servers.nats, clickhouse, waitMs: 40_000 })
  if (!clean) throw new Error('not archived')
  const [row] = await servers.clickhouse.sql<{ epoch: number }>('SELECT any(epoch) AS epoch FROM archive.events')
  epoch = row!.epoch
})
afterAll(async () => await servers[Symbol.asyncDispose]())

async function past(about: Partial<Past> & Pick<Past, 'before'>): Promise<ArchivedEvent[]> {
  return await Array.fromAsync(readPast(clickhouse, { stream: 'JOBS', ...about }))
}

test('the past comes once and in order, page by page, up to its end and not beyond', async () => {
  const events = await past({ before: { epoch, seq: 444 } })
  expect(events.map(({ seq }) => seq)).toStrictEqual(Array.from({ length: 443 }, (_, index) => index + 1))
  expect(await past({ before: { epoch, seq: 1 } })).toStrictEqual([])
  expect(await past({ before: { epoch: epoch - 1, seq: 1_000 } })).toStrictEqual([])
  expect(await past({ before: { epoch, seq: 444 }, stream: 'OTHERS' })).toStrictEqual([])
})

test('it begins where that is wanted', async () => {
  const events = await past({ from: { epoch, seq: 7 }, before: { epoch, seq: 10 } })
  expect(events.map(({ seq }) => seq)).toStrictEqual([7, 8, 9])
})

test('earlier lives of the stream come before, and wholly', async () => {
  const later = await past({ before: { epoch: epoch + 9, seq: 3 } })
  expect(later).toHaveLength(EVENTS)
})

test('only the types that are asked for come', async () => {
  expect(await past({ before: { epoch, seq: 9 }, types: ['job.done'] })).toStrictEqual([])
  expect(await past({ before: { epoch, seq: 9 }, types: ['job.done', 'job.made'] })).toHaveLength(8)
})

test('what is not archived is named, but for what was removed by hand', async () => {
  const missing = (seq: number): Promise<unknown> => missingOf(clickhouse, { stream: 'JOBS', before: { epoch, seq } })
  expect(await missing(EVENTS + 1)).toStrictEqual([])
  expect(await missing(EVENTS + 11)).toStrictEqual([{ epoch, from: EVENTS + 1, to: EVENTS + 10 }])
  await servers.clickhouse.run(
    'ALTER TABLE archive.events DELETE WHERE seq IN (1, 20, 21, 22) SETTINGS mutations_sync = 1',
  )
  await servers.clickhouse.run(`INSERT INTO archive.gaps (stream, epoch, first_seq, last_seq, reason) VALUES
    ('JOBS', ${epoch}, 21, 21, 'deleted'), ('JOBS', ${epoch}, 1, 1, 'expired')`)
  await servers.clickhouse.run(`INSERT INTO archive.markers (stream, epoch, seq) VALUES ('JOBS', ${epoch}, 22)`)
  expect(await missing(100)).toStrictEqual([
    { epoch, from: 1, to: 1 },
    { epoch, from: 20, to: 20 },
  ])
  const some = { stream: 'JOBS', from: { epoch, seq: 15 }, before: { epoch, seq: 100 } }
  expect(await missingOf(clickhouse, some)).toStrictEqual([{ epoch, from: 20, to: 20 }])
})

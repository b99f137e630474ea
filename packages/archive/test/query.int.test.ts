import { headers } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  archiveStreams,
  auditArchive,
  type JourneyEvent,
  queryArchive,
  queryArchiveSql,
  queryJourney,
} from '../src/index.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
let clickhouse: { url: string }

const TRACE = '0af7651916cd43dd8448eb211c80319c'

beforeAll(async () => {
  servers = await testServers()
  clickhouse = { url: servers.clickhouse.url }
  await servers.stream('CENTERS', { subjects: ['center.>'] })
  const publish = async (subject: string, head: Record<string, string>, payload: Uint8Array | string = '{}') => {
    const all = headers()
    for (const [name, value] of Object.entries(head)) all.set(name, value)
    await servers.js.publish(subject, payload, { headers: all })
  }
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`
  await publish('center.registered', {
    'ce-id': 'a',
    'ce-type': 'center.registered',
    'ce-partitionkey': 'S%C3%A3o%20Paulo',
    traceparent,
  })
  await publish('center.p', {
    'ce-id': 'b',
    'ce-type': 'provider.created',
    'ce-correlationid': 'a',
    'ce-causationid': 'a',
    traceparent,
  })
  await publish(
    'center.c',
    { 'ce-id': 'c', 'ce-type': 'city.registered', 'ce-correlationid': 'a', 'ce-causationid': 'a' },
    Buffer.from([255]),
  )
  await publish('center.o', {
    'ce-id': 'd',
    'ce-type': 'center.onboarded',
    'ce-correlationid': 'a',
    'ce-causationid': 'c',
  })
  await using _ = archiveStreams({ nats: servers.nats }, clickhouse, { pollMs: 100 })
  const { clean, totals } = await auditArchive({ nats: servers.nats, clickhouse, waitMs: 40_000 })
  if (!clean) throw new Error(`not archived: ${JSON.stringify(totals)}`)
})
afterAll(async () => await servers[Symbol.asyncDispose]())

const ids = async (filter: Parameters<typeof queryArchive>[1]) =>
  (await queryArchive(clickhouse, filter)).map((event) => event.id)

test('events are found by each of their marks, newest first', async () => {
  expect(await ids({})).toEqual(['d', 'c', 'b', 'a'])
  expect(await ids({ limit: 2 })).toEqual(['d', 'c'])
  expect(await ids({ id: 'b' })).toEqual(['b'])
  expect(await ids({ key: 'São Paulo' })).toEqual(['a'])
  expect(await ids({ type: 'city.registered' })).toEqual(['c'])
  expect(await ids({ trace: TRACE.toUpperCase() })).toEqual(['b', 'a'])
  expect(await ids({ correlation: 'a', stream: 'CENTERS' })).toEqual(['d', 'c', 'b'])
  expect(await ids({ since: new Date(Date.now() + 60_000) })).toEqual([])
  expect(await ids({ since: new Date(Date.now() - 600_000), until: new Date(Date.now() + 60_000) })).toHaveLength(4)
  expect(await ids({ id: "b' OR 1=1 --" })).toEqual([])
})

test('a payload comes as text where it is text', async () => {
  const [bytes, text] = await queryArchive(clickhouse, { limit: 3 }).then((events) => [events[1], events[2]])
  expect(bytes).toMatchObject({ payload: undefined, payloadBase64: '/w==' })
  expect(text).toMatchObject({
    payload: '{}',
    headers: { 'ce-id': ['b'] },
    publishedAt: expect.stringMatching(/\.\d{9}Z$/),
  })
})

test('a double that is not merged is found once', async () => {
  await servers.clickhouse.run('SYSTEM STOP MERGES archive.events')
  await servers.clickhouse.run(
    `INSERT INTO archive.events (stream, epoch, seq, event_id, published_at) SELECT stream, epoch, seq, event_id, published_at FROM archive.events WHERE event_id = 'a'`,
  )
  expect(await ids({ id: 'a' })).toEqual(['a'])
})

test('a journey is the tree of what an event caused', async () => {
  const shape = (nodes: readonly JourneyEvent[]): unknown => nodes.map((node) => [node.event.id, shape(node.caused)])
  expect(shape(await queryJourney(clickhouse, 'a'))).toEqual([
    [
      'a',
      [
        ['b', []],
        ['c', [['d', []]]],
      ],
    ],
  ])
})

test('own SQL reads with parameters, and can neither write, nor change its limits, nor read files', async () => {
  const sql = 'SELECT count() AS n, {word:String} AS word FROM archive.events FINAL;'
  expect(await queryArchiveSql(clickhouse, sql, { params: { word: "it's" } })).toEqual([{ n: '4', word: "it's" }])
  expect(await queryArchiveSql(clickhouse, 'SELECT number FROM numbers(1000000)', { limit: 10 })).toHaveLength(10)
  for (const evil of [
    'DROP TABLE archive.events',
    'INSERT INTO archive.gaps (stream) VALUES (1)',
    'SELECT 1 SETTINGS max_execution_time = 0',
    "SELECT * FROM file('/etc/hostname', 'LineAsString', 'l String')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'l String')",
    'SELECT nonsense',
  ])
    await expect(queryArchiveSql(clickhouse, evil)).rejects.toThrow(/ARCHIVE_QUERY_REFUSED/)
})

test('a query that takes too long is ended by the server', async () => {
  const slow = 'SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number))'
  await expect(queryArchiveSql(clickhouse, slow, { timeoutMs: 1_000 })).rejects.toThrow(
    /ARCHIVE_QUERY_REFUSED.*(Timeout|Estimated)/i,
  )
})

test('a user whom ClickHouse does not know is told so, and what to do', async () => {
  const unknown = { url: clickhouse.url.replace('//', '//nobody:s3cret@') }
  for (const ask of [
    () => queryArchive(unknown, {}),
    () => auditArchive({ nats: servers.nats, clickhouse: unknown }),
  ]) {
    const asked = ask()
    await expect(asked).rejects.toThrow(/ARCHIVE_DENIED: ClickHouse at .* refuses this user: .*\w; put one who may/)
    await expect(asked).rejects.not.toThrow(/s3cret/)
  }
})

test('a ClickHouse that does not answer is named, its password is not', async () => {
  const away = queryArchive({ url: 'http://reader:s3cret@127.0.0.1:1' }, {})
  await expect(away).rejects.toThrow(/ARCHIVE_UNREACHABLE.*127\.0\.0\.1:1 /)
  await expect(away).rejects.not.toThrow(/s3cret/)
})

import { testServer } from '@malha/testing'
import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { hours } from '../../src/durations.ts'
import { names } from '../../src/topology/names.ts'
import { type BootStream, provisionStreams, type ProvisionOptions } from '../../src/topology/provision.ts'
import { stream, type StreamDef, type StreamOptions } from '../../src/topology/stream.ts'

const MIB = 1024 ** 2
const here = names('t')

function centers(options: Partial<StreamOptions> = {}): StreamDef {
  return stream('CENTERS', { subjects: ['center.>'], maxBytes: 8 * MIB, maxAgeMs: hours(1), ...options })
}

async function provision(
  nc: NatsConnection,
  streams: StreamDef[],
  more: Partial<ProvisionOptions> = {},
): Promise<Record<string, BootStream>> {
  const done = await provisionStreams(nc, here, { streams, mode: 'ensure', ...more })
  return Object.fromEntries(done.streams.map((one) => [one.name, one]))
}

async function configOf(nc: NatsConnection, name: string): Promise<StreamConfig> {
  const jsm = await jetstreamManager(nc)
  return (await jsm.streams.info(name)).config
}

async function failure(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'nothing was thrown',
    (error: Error) => error.message,
  )
}

test('streams are made as declared, and left alone by the next start', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  const first = await provision(nc, [centers()], { lanesFor: 'provider' })
  expect(Object.keys(first).toSorted()).toEqual([
    'KV_t_MESH_CHECKPOINTS',
    't_CENTERS',
    't_DEAD_LETTERS',
    't_DELAYS',
    't_LANES_PROVIDER',
    't_MESH',
  ])
  expect(first['t_CENTERS']).toMatchObject({
    subjects: ['t.center.>', 't._done.CENTERS.>'],
    maxBytes: 8 * MIB,
    maxAgeMs: hours(1),
    replicas: 1,
    action: 'created',
  })
  expect(first['t_LANES_PROVIDER']).toMatchObject({ maxBytes: Infinity, maxAgeMs: Infinity })
  expect(first['t_CENTERS']?.epoch).toBeGreaterThan(1_700_000_000)

  expect(await configOf(nc, 't_CENTERS')).toMatchObject({
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    allow_atomic: true,
    allow_msg_ttl: true,
    allow_direct: true,
    max_consumers: 10_000,
    metadata: { 'malha.owner': 'malha', 'malha.revision': '1', 'malha.format': '1', 'malha.partitions': '16' },
  })
  expect(await configOf(nc, 't_LANES_PROVIDER')).toMatchObject({
    retention: 'workqueue',
    allow_msg_schedules: true,
    max_bytes: -1,
    discard: 'old',
    metadata: { 'malha.kind': 'lanes' },
  })
  expect(await configOf(nc, 't_DEAD_LETTERS')).toMatchObject({
    max_msgs_per_subject: 1,
    discard: 'new',
    discard_new_per_subject: true,
    max_age: 0,
  })

  const second = await provision(nc, [centers()], { lanesFor: 'provider' })
  expect(new Set(Object.values(second).map(({ action }) => action))).toEqual(new Set(['unchanged']))
  expect(second['t_CENTERS']?.epoch).toBe(first['t_CENTERS']?.epoch)
  const verified = await provision(nc, [centers()], { lanesFor: 'provider', mode: 'verify' })
  expect(verified['t_MESH']?.action).toBe('unchanged')
})

test('a stream made by a release without done-markers gets their subject, once, and keeps its events', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  await provision(nc, [centers()])
  const jsm = await jetstreamManager(nc)
  await jsm.streams.update('t_CENTERS', { subjects: ['t.center.>'] })
  await nc.request('t.center.registered', 'x')
  expect((await provision(nc, [centers()]))['t_CENTERS']).toMatchObject({ action: 'updated' })
  const { config, state } = await jsm.streams.info('t_CENTERS')
  expect([config.subjects, state.messages]).toEqual([['t.center.>', 't._done.CENTERS.>'], 1])
  expect((await provision(nc, [centers()]))['t_CENTERS']).toMatchObject({ action: 'unchanged' })
})

test('a newer revision updates, an older one changes nothing and starts all the same', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  await provision(nc, [centers()])
  const newer = await provision(nc, [centers({ revision: 2, maxBytes: 4 * MIB, subjects: ['center.>', 'depot.>'] })])
  expect(newer['t_CENTERS']).toMatchObject({ action: 'updated', maxBytes: 4 * MIB })
  const older = await provision(nc, [centers()])
  expect(older['t_CENTERS']).toMatchObject({ action: 'unchanged', maxBytes: 4 * MIB })
  expect(await configOf(nc, 't_CENTERS')).toMatchObject({
    subjects: ['t.center.>', 't.depot.>', 't._done.CENTERS.>'],
    metadata: { 'malha.revision': '2' },
  })
})

test('all faults of all streams come at once, and nothing is made', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  const jsm = await jetstreamManager(nc)
  await jsm.streams.add({ name: 't_CENTERS', subjects: ['t.center.>'] })
  await provisionStreams(nc, here, {
    streams: [stream('ORDERS', { subjects: ['order.>'], owner: 'billing', maxBytes: MIB })],
    mode: 'ensure',
  })
  await provision(nc, [stream('KEYS', { subjects: ['key.>'], maxBytes: MIB, partitions: 4 })])
  const message = await failure(
    provision(nc, [
      centers(),
      stream('ORDERS', { subjects: ['order.>'], maxBytes: MIB }),
      stream('KEYS', { subjects: ['key.>'], maxBytes: MIB, partitions: 8 }),
      stream('FRESH', { subjects: ['fresh.>'], maxBytes: MIB }),
    ]),
  )
  expect(message).toMatch(/^MESH_TOPOLOGY/)
  expect(message).toContain('3 faults')
  expect(message).toContain('t_CENTERS: it exists and is not the mesh')
  expect(message).toContain('t_ORDERS: it belongs to "billing"')
  expect(message).toContain('t_KEYS: the number of partitions is 4')
  await expect(jsm.streams.info('t_FRESH')).rejects.toThrow('stream not found')
})

test('verify makes nothing and changes nothing; it lists what is missing and what differs', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  const missing = await failure(provision(nc, [centers()], { mode: 'verify' }))
  expect(missing).toContain('5 faults')
  expect(missing).toContain('t_CENTERS: it does not exist')
  await provision(nc, [centers()])
  const differs = await failure(provision(nc, [centers({ maxBytes: 16 * MIB })], { mode: 'verify' }))
  expect(differs).toContain(`max_bytes ${8 * MIB} → ${16 * MIB}`)
  expect(await configOf(nc, 't_CENTERS')).toMatchObject({ max_bytes: 8 * MIB })
})

test('none touches nothing', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  const report = await provision(nc, [centers()], { mode: 'none' })
  expect(report['t_CENTERS']).toMatchObject({ action: 'not-checked', epoch: 0, maxBytes: 8 * MIB })
  await expect((await jetstreamManager(nc)).streams.info('t_CENTERS')).rejects.toThrow('stream not found')
})

test('a stream of someone else on the same subjects is named', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  const jsm = await jetstreamManager(nc)
  await jsm.streams.add({ name: 'LEGACY', subjects: ['t.center.registered'] })
  const message = await failure(provision(nc, [centers()]))
  expect(message).toContain('t_CENTERS')
  expect(message).toContain('LEGACY')
  expect(message).toContain('narrow one of them')
})

test.each([0, 1])(
  'instances of three releases that start at once leave the newest revision, over revision %i',
  async (before) => {
    await using server = await testServer()
    await using nc = await connect({ servers: server.url })
    const release = (revision: number): StreamDef => centers({ revision, maxBytes: (8 + revision) * MIB })
    // One round shows an unguarded race only now and then.
    for (let round = 0; round < 5; round++) {
      const its = names(`round${round}`)
      if (before > 0) await provisionStreams(nc, its, { streams: [release(before)], mode: 'ensure' })
      const starts = Array.from({ length: 9 }, (_, index) =>
        provisionStreams(nc, its, {
          streams: [release(before + 1 + (index % 3))],
          mode: 'ensure',
          lanesFor: 'provider',
        }),
      )
      const done = await Promise.all(starts)
      expect(new Set(done.map(({ streams }) => streams.find(({ name }) => name.endsWith('CENTERS'))?.epoch)).size).toBe(
        1,
      )
      expect(await configOf(nc, its.stream('CENTERS'))).toMatchObject({
        max_bytes: (8 + before + 3) * MIB,
        metadata: { 'malha.revision': String(before + 3) },
      })
    }
  },
)

test('the sum of sizes is held against the account’s limit before anything is made', async () => {
  await using server = await testServer({
    config: `accounts { APP { jetstream { max_file: 2GB }, users: [{user: app, password: app}] } }`,
  })
  await using nc = await connect({ servers: server.url, user: 'app', pass: 'app' })
  const message = await failure(
    provision(nc, [
      stream('A', { subjects: ['a.>'], maxBytes: 600 * MIB }),
      stream('B', { subjects: ['b.>'], maxBytes: 600 * MIB }),
    ]),
  )
  expect(message).toContain('1 fault')
  expect(message).toContain('raise max_file')
  expect(message).toContain(`t_A ${600 * MIB}`)
  expect(await (await jetstreamManager(nc)).streams.names().next()).toEqual([])
  await provision(nc, [stream('A', { subjects: ['a.>'], maxBytes: 64 * MIB })])
})

test('replicas on a single server are a fault that says so', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  expect(await failure(provision(nc, [centers()], { replicas: 3 }))).toContain('this is a single server')
})

test('what a user may not do is named; with streams there, verify needs no more than STREAM.INFO', async () => {
  await using server = await testServer({
    config: `accounts { APP { jetstream: enabled, users: [
      {user: admin, password: admin},
      {user: svc, password: svc, permissions: {
        publish: ["$JS.API.STREAM.INFO.>"], subscribe: ["_INBOX_svc.>"]}}] } }`,
  })
  await using admin = await connect({ servers: server.url, user: 'admin', pass: 'admin' })
  await using svc = await connect({ servers: server.url, user: 'svc', pass: 'svc', inboxPrefix: '_INBOX_svc' })
  const message = await failure(provision(svc, [centers()]))
  expect(message).toContain('may not use $JS.API.STREAM.CREATE.t_CENTERS')
  await provision(admin, [centers()])
  expect((await provision(svc, [centers()], { mode: 'verify' }))['t_CENTERS']?.action).toBe('unchanged')
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNatsCluster } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { archiveStreams, auditArchive } from '../src/index.ts'
import { testClickHouse } from './support/servers.ts'

test('leader changes and the death of the leader of a replicated stream cost neither an event nor a double', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-archive-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(async () => await rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const cluster = stack.use(await startNatsCluster({ dataDir: join(dataDir, 'nats') }))
  const clickhouse = stack.use(await testClickHouse(join(dataDir, 'clickhouse')))
  const nats = await connect({ servers: cluster.url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  stack.defer(async () => await nats.close())
  const jsm = await jetstreamManager(nats)
  const js = jetstream(nats)
  const metadata = { 'malha.format': '1' }
  await jsm.streams.add({ name: 'CENTERS', subjects: ['center.>'], num_replicas: 3, metadata })
  stack.use(archiveStreams({ nats }, { url: clickhouse.url }, { pollMs: 200, leaseMs: 2_000, replicas: 3 }))

  let published = 0
  const publish = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      const msgID = `m-${published}`
      await eventually(async () => await js.publish('center.x', msgID, { msgID, timeout: 2_000 }), {
        timeoutMs: 30_000,
      })
      published += 1
    }
  }
  const leader = async (other?: string): Promise<string> =>
    await eventually(async () => {
      const name = (await jsm.streams.info('CENTERS')).cluster?.leader
      if (!name || name === other) throw new Error(`the leader is ${name || 'not elected yet'}`)
      return name
    })

  await publish(50)
  const first = await leader()
  await nats.request('$JS.API.STREAM.LEADER.STEPDOWN.CENTERS', undefined, { timeout: 10_000 })
  await publish(50)
  const second = await leader(first)
  const node = cluster.nodes.find(({ name }) => name === second)!
  await node.kill()
  await publish(50)
  await node.start()
  await publish(50)
  const audit = await auditArchive({ nats, clickhouse: { url: clickhouse.url }, waitMs: 90_000 })
  expect(audit).toMatchObject({ clean: true, totals: { compared: 200, archived: 200, duplicates: 0, lag: 0 } })
}, 300_000)

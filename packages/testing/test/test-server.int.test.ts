import { access } from 'node:fs/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { eventually } from '../src/eventually.ts'
import { borrowServer } from '../src/shared-server.ts'
import { testCluster } from '../src/test-cluster.ts'
import { testServer } from '../src/test-server.ts'

test('a killed server comes back on its ports with its data, and clients find it again', async () => {
  await using server = await testServer()
  const nats = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  const jsm = await jetstreamManager(nats)
  await jsm.streams.add({ name: 'KEEP', subjects: ['keep'] })
  await jetstream(nats).publish('keep', 'this')
  const before = server.pid
  await server.kill()
  expect(server.pid).toBeUndefined()
  await server.start()
  expect(server.pid).not.toBe(before)
  // What it asks before the client is back is not answered; the next try should not have to wait for that.
  const asking = await jetstreamManager(nats, { timeout: 1_000, checkAPI: false })
  await eventually(async () => expect((await asking.streams.info('KEEP')).state.messages).toBe(1))
  await nats.close()
})

test('configuration reaches the server', async () => {
  await using server = await testServer({ config: 'authorization { user: ann, password: secret-of-ann }' })
  await expect(connect({ servers: server.url, maxReconnectAttempts: 0 })).rejects.toThrow(/[Aa]uthorization/)
  const nats = await connect({ servers: server.url, user: 'ann', pass: 'secret-of-ann' })
  await nats.close()
})

test('a disposed server is gone, process and folder', async () => {
  const server = await testServer()
  const { pid, url } = server
  const varz = (await (await fetch(`${server.monitorUrl}/jsz`)).json()) as { config: { store_dir: string } }
  await server[Symbol.asyncDispose]()
  expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH')
  await expect(access(varz.config.store_dir)).rejects.toThrow('ENOENT')
  await expect(connect({ servers: url, maxReconnectAttempts: 0 })).rejects.toThrow(/refused/i)
})

test('tests of one file share a server, also after one of them killed it', async () => {
  await using first = await borrowServer()
  await using second = await borrowServer()
  expect(second.server).toBe(first.server)
  await first.server.kill()
  await using third = await borrowServer()
  expect(third.server).toBe(first.server)
  expect(third.server.pid).toBeDefined()
})

test('a cluster keeps three replicas, and another node leads after a step-down or a kill', async () => {
  await using cluster = await testCluster()
  const nats = await connect({ servers: cluster.url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  const jsm = await jetstreamManager(nats, { timeout: 20_000 })
  await jsm.streams.add({ name: 'KEEP', subjects: ['keep'], num_replicas: 3 })
  const first = await cluster.leader(nats, 'KEEP')
  await cluster.stepDown(nats, 'KEEP')
  const second = await eventually(async () => {
    const leader = await cluster.leader(nats, 'KEEP')
    expect(leader.name).not.toBe(first.name)
    return leader
  })
  await second.kill()
  await eventually(async () => expect((await cluster.leader(nats, 'KEEP')).name).not.toBe(second.name))
  await second.start()
  expect(second.pid).toBeDefined()
  await nats.close()
}, 180_000)

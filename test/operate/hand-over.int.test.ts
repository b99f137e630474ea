import { defineService, event, on, stream } from '@malha/mesh'
import { testCluster, type TestCluster, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { stdoutOf } from './stdout-of.ts'
import { type MovedDurable, openOperations } from '@malha/operations'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const asked = event('job.asked', { stream: jobs, schema: z.object({ n: z.int() }) })

let cluster: TestCluster
beforeAll(async () => void (cluster = await testCluster()))
afterAll(() => cluster[Symbol.asyncDispose]())

const worker = defineService('worker', { handlers: { work: on(asked, { startFrom: 'all' }, () => undefined) } })

test('another server leads what one led, nothing stays paused, and it is written down', async () => {
  await using t = await testMesh({ server: cluster, replicas: 3 })
  await using _running = await t.mesh.start(worker)
  using operations = await openOperations(t.mesh)
  const durable = [t.mesh.names.stream('JOBS'), t.mesh.names.durable('worker', 'work')] as const
  const { name } = await cluster.leader(t.nats, ...durable)
  const why = ['--who', 'ana', '--reason', 'it gets a new version']
  const { namespace } = t.mesh.names
  const out = await stdoutOf(['hand-over', name, ...why, '--json', '--server', cluster.url, '--namespace', namespace])
  const { server, durables } = JSON.parse(out) as { server: string; durables: MovedDurable[] }
  expect(server).toBe(name)
  expect(durables.map((one) => [one.stream, one.durable])).toContainEqual(durable)
  expect(durables.map(({ leader }) => leader)).not.toContain(name)
  expect((await cluster.leader(t.nats, ...durable)).name).not.toBe(name)

  const jsm = await jetstreamManager(t.nats)
  expect((await jsm.consumers.info(...durable)).paused ?? false).toBe(false)
  const [newest] = (await operations.audit.list({})).acts
  expect(newest).toMatchObject({
    action: 'server.hand-over',
    target: name,
    who: 'ana',
    reason: 'it gets a new version',
  })
})

test('a server that nobody knows is refused, and nothing is written down', async () => {
  await using t = await testMesh({ server: cluster, replicas: 3 })
  await using _running = await t.mesh.start(worker)
  using operations = await openOperations(t.mesh)
  const done = operations.handOver({ server: 'n9', who: 'ana' })
  await expect(done).rejects.toThrow(/server n9 has no replica of a durable; .*n1.* have/)
  expect((await operations.audit.list({})).acts).toEqual([])
})

test('what somebody paused before stays paused when it is handed over', async () => {
  await using t = await testMesh({ server: cluster, replicas: 3 })
  await using _running = await t.mesh.start(worker)
  using operations = await openOperations(t.mesh)
  const durable = [t.mesh.names.stream('JOBS'), t.mesh.names.durable('worker', 'work')] as const
  const jsm = await jetstreamManager(t.nats)
  await jsm.consumers.pause(...durable, new Date(Date.now() + 60_000))
  const { name } = await cluster.leader(t.nats, ...durable)
  await operations.handOver({ server: name, who: 'ana' })
  expect((await cluster.leader(t.nats, ...durable)).name).not.toBe(name)
  expect(await jsm.consumers.info(...durable)).toMatchObject({ paused: true })
})

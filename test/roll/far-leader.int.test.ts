import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  connectMesh,
  defineService,
  event,
  hours,
  type Mesh,
  on,
  type RunningService,
  seconds,
  stream,
} from '@malha/mesh'
import { type NatsCluster, startNatsCluster } from '@malha/stack'
import { eventually, faultProxy } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'

/** Between servers, one way: what a durable's leader sends is so long on its way to another server's client. */
const AWAY_MS = 15
/** Nobody waits for it here: what is lost makes a test fail. */
const ACK_WAIT_MS = seconds(30)
const DONE_MS = 20_000

const jobs = stream('JOBS', { subjects: ['job.>'], maxAgeMs: hours(1) })
const asked = event('job.asked', { stream: jobs, schema: z.object({ n: z.int() }) })

const opened = new AsyncDisposableStack()
let cluster: NatsCluster

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-test-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  cluster = opened.use(
    await startNatsCluster({
      dataDir,
      config: 'lame_duck_grace_period: "5s"\nlame_duck_duration: "30s"',
      async routeThrough({ port }) {
        const proxy = opened.use(await faultProxy({ target: port }))
        proxy.delay(AWAY_MS)
        return proxy.port
      },
    }),
  )
})
afterAll(() => opened.disposeAsync())

/** Two processes of a service, as far as the broker knows: `far` is on another server than the one that leads its durable. */
async function twoInstances(namespace: string) {
  await using meshes = new AsyncDisposableStack()
  const handled = new Map<number, number>()
  const service = defineService('worker', {
    publishes: [asked],
    handlers: {
      work: on(asked, { startFrom: 'all', ackWaitMs: ACK_WAIT_MS, concurrency: 8 }, async ({ n }) => {
        handled.set(n, (handled.get(n) ?? 0) + 1)
        await new Promise(setImmediate)
      }),
    },
  })
  const open = async (servers: string[]): Promise<{ mesh: Mesh; running: RunningService }> => {
    const mesh = meshes.use(await connectMesh({ servers, namespace, replicas: 3 }))
    return { mesh, running: await mesh.start(service) }
  }
  const urls = cluster.nodes.map(({ url }) => url)
  const near = await open(urls)
  const jsm = await jetstreamManager(near.mesh.nats)
  const { cluster: where } = await jsm.consumers.info(`${namespace}_JOBS`, `${namespace}_worker_work`)
  const leader = cluster.nodes.find(({ name }) => name === where?.leader)!
  // The first is the one that a client takes that is told not to choose.
  const far = await open(urls.filter((url) => url !== leader.url))
  const all = meshes.move()
  return { handled, near, far, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** Publishes some 300 messages a second for as long as `during` takes. @returns how many */
async function load(mesh: Mesh, during: () => Promise<unknown>): Promise<number> {
  const sent: Promise<unknown>[] = []
  const timer = setInterval(() => sent.push(mesh.publish(asked, { n: sent.length })), 3)
  try {
    await eventually(() => sent.length > 100)
    await during()
    const until = sent.length + 50
    await eventually(() => sent.length > until)
  } finally {
    clearInterval(timer)
  }
  await Promise.all(sent)
  return sent.length
}

test('a process that stops leaves no message to its ack_wait, however far the leader of its durable is', async () => {
  for (const round of [1, 2]) {
    await using t = await twoInstances(`stop${round}`)
    const count = await load(t.near.mesh, () => t.far.running.stop())
    await eventually(() => t.handled.size === count, { timeoutMs: DONE_MS })
    expect([...t.handled.values()].filter((times) => times !== 1)).toEqual([])
  }
})

test('of those who write a key at once all but one are told that another was faster, which they can go by', async () => {
  await using meshes = new AsyncDisposableStack()
  const open = async ({ url }: { url: string }): Promise<KV> => {
    const mesh = meshes.use(await connectMesh({ servers: [url], namespace: 'keys', replicas: 3 }))
    return await mesh.bucket('KEYS')
  }
  const buckets = [await open(cluster.nodes[0]!), await open(cluster.nodes[1]!)]
  await eventually(() => buckets[0]!.put('ready', ''))
  for (const round of [1, 2, 3]) {
    const key = `key-${round}`
    const revision = await buckets[0]!.create(key, '')
    const writes = await Promise.allSettled(buckets.map((bucket, index) => bucket.update(key, `${index}`, revision)))
    expect(writes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const refused = writes.find((write) => write.status === 'rejected')
    expect(refused?.reason).toMatchObject({ name: 'JetStreamApiError', code: 10071 })
  }
})

// The last one here: the server that it tells to leave ends some time later.
test('a client leaves a server in lame duck mode before its connection is closed, and loses nothing on its way', async () => {
  await using t = await twoInstances('lame')
  const { nats } = t.far.mesh
  const node = cluster.nodes.find(({ url }) => url.endsWith(nats.getServer().split(':').at(-1)!))!
  const count = await load(t.near.mesh, async () => {
    process.kill(node.pid!, 'SIGUSR2')
    await eventually(() => !node.url.endsWith(nats.getServer().split(':').at(-1)!))
    expect(node.pid).toBeDefined()
  })
  await eventually(() => expect(t.handled.size).toBe(count), { timeoutMs: DONE_MS })
})

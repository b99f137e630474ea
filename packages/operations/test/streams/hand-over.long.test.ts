import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, type Mesh, on, stream } from '@malha/mesh'
import { eventually, testCluster, type TestCluster, testMesh } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openOperations } from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const asked = event('job.asked', { stream: jobs, schema: z.object({ n: z.int() }) })
const ACK_WAIT_MS = 6000
const HAND_OVERS = 150

let cluster: TestCluster
beforeAll(async () => void (cluster = await testCluster()))
afterAll(() => cluster[Symbol.asyncDispose]())

/** How long each message took until a handler had it, ms. */
const worker = (took: Map<number, number>) =>
  defineService('worker', {
    handlers: {
      work: on(asked, { startFrom: 'all', concurrency: 64, ackWaitMs: ACK_WAIT_MS }, ({ n }, ctx) => {
        took.set(n, Date.now() - ctx.source.publishedAt.getTime())
      }),
    },
  })

/** Publishes some 300 a second until it is disposed. */
function load(mesh: Mesh): AsyncDisposable & { sent: number } {
  const stopping = new AbortController()
  const self = { sent: 0, [Symbol.asyncDispose]: () => (stopping.abort(), running) }
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => mesh.publish(asked, { n: self.sent++ })))
      await sleep(20)
    }
  })()
  return self
}

test(`no message waits for ack_wait while a durable is handed over ${HAND_OVERS} times under load`, async () => {
  await using t = await testMesh({ server: cluster, replicas: 3 })
  const took = new Map<number, number>()
  await using _first = await t.mesh.start(worker(took))
  await using _second = await (await t.connect()).start(worker(took))
  using operations = await openOperations(t.mesh)
  const durable = [t.mesh.names.stream('JOBS'), t.mesh.names.durable('worker', 'work')] as const
  let sent = 0
  {
    await using publishing = load(await t.connect())
    for (let times = 0; times < HAND_OVERS; times += 1) {
      const { name } = await cluster.leader(t.nats, ...durable)
      const moved = await operations.handOver({ server: name, who: 'ana' })
      expect(moved.map((one) => [one.stream, one.durable])).toContainEqual(durable)
      expect(moved.map(({ leader }) => leader)).not.toContain(name)
    }
    sent = publishing.sent
  }
  await eventually(() => expect(took.size).toBeGreaterThanOrEqual(sent))
  expect([...took].filter(([, ms]) => ms >= ACK_WAIT_MS - 1000)).toEqual([])
})

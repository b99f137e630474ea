import {
  defineService,
  type Mesh,
  noMetrics,
  reply,
  type ReplyDef,
  replyError,
  request,
  silentLogger,
} from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { meshMetrics } from '../../src/observe/mesh-metrics.ts'
import { startReplies } from '../../src/request/start-replies.ts'
import { gate, slow } from './prices.ts'

const parts = request('price.parts', { schema: z.object({ n: z.number() }), reply: z.number(), streaming: true })

/** Starts replies alone, with a short time until a function counts as lost. */
async function start(mesh: Mesh, replies: Record<string, ReplyDef>) {
  const fatal: string[] = []
  const { nats: nc, names } = mesh
  const running = await startReplies(
    {
      nc,
      connection: watchConnection(nc),
      names,
      options: { name: 'test', namespace: names.namespace },
      log: silentLogger,
      metrics: meshMetrics(noMetrics),
      leakAfterMs: 100,
    },
    defineService('pricing', { handlers: {}, replies }),
    (error) => fatal.push(error.message),
  )
  return { running, fatal }
}

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

test('a stop answers also what waits behind a function that does not come back: it was not begun', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  const begun: number[] = []
  const single = reply(slow, { concurrency: 1 }, async ({ n }) => {
    begun.push(n)
    await passed
    return { n, by: 'x' }
  })
  const streaming = reply(parts, { concurrency: 1 }, async function* ({ n }) {
    begun.push(n)
    await passed
    yield n
  })
  const { running, fatal } = await start(env.mesh, { single, streaming })
  const asker = await env.connect()
  const before = timers()
  const asked = [1, 2].map((n) => asker.request(slow, { n }, { timeoutMs: 30_000 }))
  const streamed = [3, 4].map((n) => asker.requestStream(parts, { n }, { timeoutMs: 30_000 }).next())
  const outcomes = Promise.allSettled([...asked, ...streamed])
  await eventually(() => expect(begun).toHaveLength(2))
  // What the others sent is here when this is answered.
  await asker.nats.flush()
  await env.mesh.nats.flush()
  await running.stop(50)
  const codes = (await outcomes).map((one) =>
    one.status === 'rejected' ? (one.reason as { code: string }).code : 'ok',
  )
  expect(codes.toSorted()).toEqual(['MESH_BUSY', 'MESH_BUSY', 'MESH_REQUEST_FAILED', 'MESH_REQUEST_FAILED'])
  await eventually(() => expect(timers()).toBeLessThanOrEqual(before))
  open()
  expect(begun).toHaveLength(2)
  expect(fatal).toEqual([])
})

test('with half of its slots lost to functions that never return a reply ends the process, as a handler does', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  const stuck = reply(slow, { concurrency: 4, timeoutMs: 50 }, async ({ n }) => {
    if (n > 0) await passed
    return { n, by: 'x' }
  })
  const { running, fatal } = await start(env.mesh, { stuck })
  await expect(env.mesh.request(slow, { n: 1 })).rejects.toThrow('took too long')
  expect(running.faults()).toEqual([])
  expect((await env.mesh.request(slow, { n: 0 })).n).toBe(0)
  await expect(env.mesh.request(slow, { n: 2 })).rejects.toThrow('took too long')
  expect(running.faults()).toEqual(['reply stuck: 2 of 4 calls are over their time and do not come back'])
  await eventually(() =>
    expect(fatal).toEqual([
      'MESH_HANDLER_LEAKED: reply stuck of pricing lost 2 of 4 slots to calls that never return; make it honour ctx.signal',
    ]),
  )
  open()
  await eventually(() => expect(running.faults()).toEqual([]))
  await running.stop(1000)
})

test('a requester in a hurry is no judge of what is lost: a function has the reply’s own time', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  const answer = reply(slow, { concurrency: 1 }, async ({ n }) => {
    await passed
    return { n, by: 'x' }
  })
  const { running, fatal } = await start(env.mesh, { answer })
  await expect(env.mesh.request(slow, { n: 1 }, { timeoutMs: 50 })).rejects.toThrow(
    /MESH_REQUEST_TIMEOUT|took too long/,
  )
  // The time that has to pass is what is tested: longer than from the end of a function's time until it counts as lost.
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect({ faults: running.faults(), fatal }).toEqual({ faults: [], fatal: [] })
  open()
  await running.stop(1000)
})

test('a schema that does not come back is answered for within the reply’s time, and a request without any time is not begun', async () => {
  await using env = await testMesh()
  const never = z.string().refine(async (text) => text !== 'hang' || (await new Promise<boolean>(() => undefined)))
  const asks = request('price.asks', { schema: never, reply: z.string() })
  const answers = request('price.answers', { schema: z.string(), reply: never })
  const errors = { 'price.unknown': z.object({ sku: never }) }
  const refuses = request('price.refuses', { schema: z.string(), reply: z.string(), errors })
  const begun: string[] = []
  const replies = {
    asking: reply(asks, { timeoutMs: 100, concurrency: 1 }, (text) => text),
    answering: reply(answers, { timeoutMs: 100, concurrency: 1 }, (text) => {
      begun.push(text)
      return text
    }),
    refusing: reply(refuses, { timeoutMs: 100, concurrency: 1 }, (sku) => {
      if (sku === 'hang') throw replyError(refuses, 'price.unknown', { sku })
      return sku
    }),
  }
  const { running, fatal } = await start(env.mesh, replies)
  // A requester's own schemas would hang as well.
  const lax = (type: string) => request(type, { schema: z.string(), reply: z.string() })
  for (const type of ['price.asks', 'price.answers', 'price.refuses']) {
    await expect(env.mesh.request(lax(type), 'hang', { timeoutMs: 30_000 })).rejects.toThrow('took too long')
    expect(await env.mesh.request(lax(type), 'fine', { timeoutMs: 30_000 })).toBe('fine')
  }
  const block = headers()
  block.set('malha-timeout-ms', '0')
  env.nats.publish(env.mesh.names.request('price.answers'), '"late"', { reply: 'nobody.here', headers: block })
  await env.nats.flush()
  await env.mesh.request(lax('price.answers'), 'last')
  expect({ begun, fatal }).toEqual({ begun: ['hang', 'fine', 'last'], fatal: [] })
  await running.stop(1000)
})

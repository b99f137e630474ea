import { defineService, reply, request } from '@malha/mesh'
import { eventually, faultProxy, testMesh } from '@malha/testing'
import { headers, type Msg } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { gate, slow } from './prices.ts'

const parts = request('price.parts', { schema: z.object({ n: z.number() }), reply: z.number(), streaming: true })
const once = request('price.once', { schema: z.object({ n: z.number() }), reply: z.number() })

/** Says that it has too much to do, as a responder would. */
function busy(msg: Msg, retryAfterMs: number): void {
  const block = headers()
  block.set('malha-reply', 'error')
  block.set('malha-error-code', 'MESH_BUSY')
  block.set('malha-retry-after-ms', String(retryAfterMs))
  block.set('Nats-Service-Error', 'busy')
  block.set('Nats-Service-Error-Code', '429')
  msg.respond('', { headers: block })
}

test('with waitForResponder a streaming request that met a busy responder gets its stream when there is room', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  const answer = reply(parts, { concurrency: 1, waiting: 0 }, async function* ({ n }) {
    yield n
    await passed
    yield n + 1
  })
  await env.mesh.start(defineService('parts', { handlers: {}, replies: { answer } }))
  const first = env.mesh.requestStream(parts, { n: 1 })
  expect((await first.next()).value).toBe(1)
  await expect(env.mesh.requestStream(parts, { n: 3 }).next()).rejects.toThrow('MESH_BUSY')
  const second = env.mesh.requestStream(parts, { n: 5 }, { waitForResponder: true })
  const begun = second.next()
  // Refused once at least: its next try comes after this one's.
  await expect(env.mesh.requestStream(parts, { n: 3 }).next()).rejects.toThrow('MESH_BUSY')
  open()
  expect((await first.next()).value).toBe(2)
  await first.return()
  expect((await begun).value).toBe(5)
  expect((await second.next()).value).toBe(6)
  expect((await second.next()).done).toBe(true)
})

test('with waitForResponder a request whose next try fell into a break of the connection is asked after it', async () => {
  await using env = await testMesh()
  await using proxy = await faultProxy({ target: env.url })
  const asker = await env.connect({ servers: proxy.url })
  let refused = 0
  const responder = env.nats.subscribe(env.mesh.names.request('price.once'), {
    callback(_, msg) {
      refused++
      busy(msg, 500)
    },
  })
  await env.nats.flush()
  const asked = asker.request(once, { n: 7 }, { waitForResponder: true, timeoutMs: 30_000 })
  asked.catch(() => undefined)
  await eventually(() => expect(refused).toBe(1))
  await asker.nats.flush()
  await proxy.refuse()
  await eventually(() => expect(asker.health().reasons).toContain('NATS is away'))
  responder.unsubscribe()
  const answer = reply(once, ({ n }) => n)
  await env.mesh.start(defineService('answering', { handlers: {}, replies: { answer } }))
  // The time that has to pass is what is tested: the next try comes after at most 625 ms.
  await new Promise((resolve) => setTimeout(resolve, 700))
  await proxy.accept()
  expect(await asked).toBe(7)
})

test('at its deadline a request says that it was not begun only where that is so', async () => {
  await using env = await testMesh()
  let asked = 0
  env.nats.subscribe(env.mesh.names.request('price.once'), {
    callback(_, msg) {
      if (asked++ === 0) busy(msg, 1)
    },
  })
  await env.nats.flush()
  const second = env.mesh.request(once, { n: 1 }, { waitForResponder: true, timeoutMs: 2000 })
  await expect(second).rejects.toThrow('MESH_REQUEST_TIMEOUT: price.once: no answer came within 2000 ms; it may or may')
  expect(asked).toBe(2)
})

test('a request whose turn does not come in the reply’s time is told that it was not begun, also one of a plain client', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  const begun: number[] = []
  const answer = reply(slow, { concurrency: 1, waiting: 2, timeoutMs: 300 }, async ({ n }) => {
    begun.push(n)
    await passed
    return { n, by: 'x' }
  })
  await env.mesh.start(defineService('pricing', { handlers: {}, replies: { answer } }))
  const first = env.mesh.request(slow, { n: 1 }, { timeoutMs: 30_000 }).catch(String)
  await eventually(() => expect(begun).toEqual([1]))
  const plain = env.nats.request(env.mesh.names.request('price.slow'), '{"n":3}', { timeout: 30_000 })
  const second = env.mesh.request(slow, { n: 2 }, { timeoutMs: 30_000 })
  await expect(second).rejects.toThrow('MESH_BUSY: price.slow was not begun: its turn did not come in time')
  expect((await plain).headers?.get('malha-error-code')).toBe('MESH_BUSY')
  expect(await first).toContain('took too long')
  open()
  await eventually(() => expect(env.mesh.health().ready).toBe(true))
  expect(begun).toEqual([1])
})

test('a stream that waits for its turn and is told that it was not begun may be asked again', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  const begun: number[] = []
  const answer = reply(parts, { concurrency: 1, waiting: 1, timeoutMs: 300 }, async function* ({ n }) {
    begun.push(n)
    if (n === 1) await passed
    yield n
  })
  await env.mesh.start(defineService('parts', { handlers: {}, replies: { answer } }))
  const stuck = env.mesh.requestStream(parts, { n: 1 }).next().catch(String)
  await eventually(() => expect(begun).toEqual([1]))
  await expect(env.mesh.requestStream(parts, { n: 2 }).next()).rejects.toThrow('MESH_BUSY')
  expect(await stuck).toContain('took too long')
  const third = env.mesh.requestStream(parts, { n: 3 }, { waitForResponder: true })
  const got = third.next()
  open()
  expect((await got).value).toBe(3)
  await third.return()
  expect(begun).toEqual([1, 3])
})

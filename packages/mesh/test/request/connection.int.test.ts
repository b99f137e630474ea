import { defineService, reply, type ReplyDef, request } from '@malha/mesh'
import { eventually, faultProxy, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { gate, pricing, quote, slow } from './prices.ts'

const once = request('price.once', { schema: z.object({ n: z.number() }), reply: z.number() })

const answering = (r: ReplyDef) => defineService('answering', { handlers: {}, replies: { r } })

test.concurrent('while NATS is away a request waits for it, though not past its deadline, and then says what it waited for', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  await env.mesh.start(pricing())
  await server.kill()
  await eventually(() => expect(env.mesh.health().reasons).toContain('NATS is away'))
  await expect(env.mesh.request(quote, { sku: 'a' }, { timeoutMs: 300 })).rejects.toThrow(
    'MESH_REQUEST_TIMEOUT: price.quote was not sent: NATS was away for all of 300 ms. Nobody was asked',
  )
  const waiting = env.mesh.request(quote, { sku: 'a' }, { timeoutMs: 60_000, waitForResponder: true })
  await server.start()
  expect((await waiting).cents).toBe(100)
})

test.concurrent('an idempotent request whose connection broke is asked again under the same id; any other is not, and says so', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  const { passed, open } = gate()
  const calls: string[] = []
  const called = async (id: string): Promise<void> => {
    calls.push(id)
    if (calls.filter((one) => one === id).length === 1) await passed
  }
  const safely = reply(slow, ({ n }, ctx) => called(ctx.id).then(() => ({ n, by: 'second' })))
  const unsafely = reply(once, ({ n }, ctx) => called(ctx.id).then(() => n))
  await env.mesh.start(defineService('answering', { handlers: {}, replies: { safely, unsafely } }))
  const safe = env.mesh.request(slow, { n: 1 }, { id: 'safe', timeoutMs: 60_000 })
  const unsafe = env.mesh.request(once, { n: 2 }, { id: 'unsafe', timeoutMs: 4000 })
  unsafe.catch(() => undefined)
  await eventually(() => expect(calls.sort()).toEqual(['safe', 'unsafe']))
  await server.restart()
  expect(await safe).toEqual({ n: 1, by: 'second' })
  await expect(unsafe).rejects.toThrow('the connection broke after it was sent, and no answer came within 4000 ms')
  expect(calls.sort()).toEqual(['safe', 'safe', 'unsafe'])
  open()
})

test.concurrent('an answer that is ready while the responder’s connection is away goes out when it is back', async () => {
  await using env = await testMesh()
  await using proxy = await faultProxy({ target: env.url })
  const { passed, open } = gate()
  const far = await env.connect({ servers: proxy.url })
  let called = false
  await far.start(
    answering(
      reply(once, async ({ n }) => {
        called = true
        await passed
        return n
      }),
    ),
  )
  const asked = env.mesh.request(once, { n: 7 }, { timeoutMs: 60_000 })
  await eventually(() => expect(called).toBe(true))
  await proxy.refuse()
  await eventually(() => expect(far.health().reasons).toContain('NATS is away'))
  open()
  await proxy.accept()
  expect(await asked).toBe(7)
})

test.concurrent('a service stops while NATS is away, without waiting for it, and answers nothing when it is back', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  const running = await env.mesh.start(pricing())
  await server.kill()
  await eventually(() => expect(env.mesh.health().reasons).toContain('NATS is away'))
  const stopped = running.stop().then(() => 'stopped')
  // Far below the time a drain may take.
  expect(await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 15_000))])).toBe('stopped')
  await server.start()
  const asker = await env.connect()
  await expect(asker.request(quote, { sku: 'a' })).rejects.toThrow('MESH_NO_RESPONDER')
})

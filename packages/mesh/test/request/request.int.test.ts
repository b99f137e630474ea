import { defineService, isReplyError, reply, request } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { AT, pricing, quote, recordingLogger, slow, slowBehindGate } from './prices.ts'

test('a request is answered with the output of the reply’s schema, under the id and headers it was given', async () => {
  await using env = await testMesh()
  const seen: unknown[] = []
  const service = defineService('pricing', {
    handlers: {},
    replies: {
      quote: reply(quote, ({ quantity }, ctx) => {
        seen.push([ctx.id, ctx.correlationId, ctx.causationId, ctx.headers['x-tenant'], ctx.version])
        return { cents: 100 * quantity, at: AT }
      }),
    },
  })
  await env.mesh.start(service)
  const options = { id: 'q-1', correlationId: 'order-1', causationId: 'm-1', headers: { 'x-tenant': 'acme' } }
  expect(await env.mesh.request(quote, { sku: 'a', quantity: 3 }, options)).toEqual({ cents: 300, at: new Date(AT) })
  expect(await env.mesh.request(quote, { sku: 'a' })).toEqual({ cents: 100, at: new Date(AT) })
  expect(seen[0]).toEqual(['q-1', 'order-1', 'm-1', 'acme', 1])
})

test('an error of the contract crosses the wire with its code and data', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  const error: unknown = await env.mesh.request(quote, { sku: 'none' }).catch((caught: unknown) => caught)
  expect(isReplyError(error, quote)).toBe(true)
  expect(error).toMatchObject({ name: 'ReplyError', code: 'price.unknown', data: { sku: 'none' } })
})

test('any other error is MESH_REQUEST_FAILED without a word of it, and is in the responder’s log under the id', async () => {
  const { lines, logger } = recordingLogger()
  await using env = await testMesh({ logger })
  await env.mesh.start(pricing())
  const asked = env.mesh.request(quote, { sku: 'broken' }, { id: 'q-7' })
  const error = await asked.then(
    () => undefined,
    (caught: Error) => caught,
  )
  expect(error).toMatchObject({ code: 'MESH_REQUEST_FAILED', message: expect.stringContaining('q-7') as string })
  expect(error?.message).not.toContain('hunter2')
  const line = lines.find(({ level }) => level === 'error')
  expect(line?.fields).toMatchObject({
    requestId: 'q-7',
    service: 'pricing',
    reply: 'quote',
    err: expect.objectContaining({ message: 'password is hunter2' }) as Error,
  })
})

test('nobody there is MESH_NO_RESPONDER within 100 ms', async () => {
  await using env = await testMesh()
  const took: number[] = []
  for (let n = 0; n < 10; n++) {
    const started = performance.now()
    await expect(env.mesh.request(quote, { sku: 'a' }, { timeoutMs: 30_000 })).rejects.toThrow('MESH_NO_RESPONDER')
    took.push(performance.now() - started)
  }
  // How long the others took says what else the machine does.
  expect(Math.min(...took)).toBeLessThan(100)
})

test('with waitForResponder a request bridges the time until a service starts, or says at its end that nobody was there', async () => {
  await using env = await testMesh()
  const bridged = env.mesh.request(quote, { sku: 'a' }, { waitForResponder: true, timeoutMs: 30_000 })
  const inVain = env.mesh.request(slow, { n: 1 }, { waitForResponder: true, timeoutMs: 2000 })
  await expect(inVain).rejects.toThrow('MESH_NO_RESPONDER: price.slow: nobody answers it within 2000 ms')
  await env.mesh.start(pricing())
  expect((await bridged).cents).toBe(100)
})

test('instances share the requests, each of which is answered once', async () => {
  await using env = await testMesh()
  const calls: string[] = []
  const start = async (by: string) => {
    const mesh = await env.connect({ name: by })
    const answer = reply(slow, ({ n }) => {
      calls.push(by)
      return { n, by }
    })
    await mesh.start(defineService('pricing', { handlers: {}, replies: { answer } }))
  }
  await Promise.all(['a', 'b', 'c'].map(start))
  const numbers = Array.from({ length: 300 }, (_, n) => n)
  const answers = await Promise.all(numbers.map((n) => env.mesh.request(slow, { n }, { timeoutMs: 30_000 })))
  expect(answers.map(({ n }) => n)).toEqual(numbers)
  expect(calls).toHaveLength(300)
  // The server draws one of them for each request: of 300, a fair third is 100.
  for (const by of ['a', 'b', 'c']) expect(calls.filter((one) => one === by).length).toBeGreaterThan(40)
})

test('bad data is refused before it is sent, and a bad request by its responder', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  const wrong = env.mesh.request(quote, { sku: 1 as never })
  await expect(wrong).rejects.toThrow(/MESH_INVALID_PAYLOAD.*- sku: /s)
  await expect(env.mesh.request(quote, { sku: 'a' }, { timeoutMs: 0 })).rejects.toThrow('MESH_INVALID_OPTIONS')
  await expect(env.mesh.request(quote, { sku: 'a' }, { headers: { 'ce-id': 'x' } })).rejects.toThrow(
    'MESH_INVALID_HEADER',
  )
  const lax = request('price.quote', { schema: z.object({ sku: z.number() }), reply: z.unknown() })
  await expect(env.mesh.request(lax, { sku: 5 })).rejects.toThrow(/MESH_REQUEST_FAILED.*MESH_SCHEMA_MISMATCH.*sku/)
  const newer = request('price.quote', { schema: z.unknown(), reply: z.unknown(), version: 2, upcast: (data) => data })
  await expect(env.mesh.request(newer, {})).rejects.toThrow(/MESH_REQUEST_FAILED.*MESH_NEWER_VERSION/)
})

test('a reply that does not fit its own schema never leaves the responder; one that does not fit the requester’s is refused there', async () => {
  await using env = await testMesh()
  const bad = reply(quote, () => ({ cents: 'many' as never, at: AT }))
  await env.mesh.start(defineService('pricing', { handlers: {}, replies: { bad } }))
  await expect(env.mesh.request(quote, { sku: 'a' })).rejects.toThrow('MESH_REQUEST_FAILED')
  await env.mesh.start(defineService('slow', { handlers: {}, replies: { r: reply(slow, () => ({ n: 1, by: 'x' })) } }))
  const strict = request('price.slow', { schema: z.unknown(), reply: z.object({ n: z.string() }) })
  await expect(env.mesh.request(strict, { n: 1 })).rejects.toThrow(
    /MESH_SCHEMA_MISMATCH: the reply to price.slow.*- n: /s,
  )
})

test('a reply over the server’s limit is an error at the requester and in the responder’s log, and nothing hangs', async () => {
  const { lines, logger } = recordingLogger()
  await using env = await testMesh({ logger })
  const large = request('price.list', { schema: z.object({ bytes: z.number() }), reply: z.string() })
  const list = reply(large, ({ bytes }) => 'x'.repeat(bytes))
  await env.mesh.start(defineService('pricing', { handlers: {}, replies: { list } }))
  const limit = env.nats.info!.max_payload
  await expect(env.mesh.request(large, { bytes: limit }, { timeoutMs: 30_000 })).rejects.toThrow(
    new RegExp(`MESH_REPLY_TOO_LARGE: the reply to price.list has \\d+ bytes .*${limit} is the most`),
  )
  expect(lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { code: 'MESH_REPLY_TOO_LARGE' } }])
  expect(await env.mesh.request(large, { bytes: limit - 1024 })).toHaveLength(limit - 1024)
})

test('a signal ends the waiting', async () => {
  await using env = await testMesh()
  const { service, open } = slowBehindGate()
  await env.mesh.start(service)
  const stop = new AbortController()
  const asked = env.mesh.request(slow, { n: 1 }, { signal: stop.signal, timeoutMs: 30_000 })
  stop.abort(new Error('no longer needed'))
  await expect(asked).rejects.toThrow('no longer needed')
  open()
})

test('a plain client asks and answers without our headers, and hostile headers harm nobody', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  const subject = env.mesh.names.request('price.quote')
  const plain = await env.nats.request(subject, '{"sku":"a","quantity":2}')
  expect(plain.json()).toEqual({ cents: 200, at: AT })
  const refused = await env.nats.request(subject, '{"sku":"none"}')
  expect(refused.headers?.get('Nats-Service-Error-Code')).toBe('422')
  expect(refused.headers?.get('Nats-Service-Error')).toBe('price.unknown')
  expect(refused.json()).toEqual({ sku: 'none' })
  const hostile = Buffer.from('NATS/1.0\r\nce id: x\r\nçe: \u0001\r\n\r\n')
  const broken = await env.nats.request(subject, '\u{1}', {
    headers: { encode: () => hostile } as never,
    timeout: 5000,
  })
  expect(broken.headers?.get('Nats-Service-Error-Code')).toBe('400')
  // No reply subject: nobody waits, nothing is begun, nothing breaks.
  env.nats.publish(subject, '{"sku":"broken"}')
  expect((await env.mesh.request(quote, { sku: 'a' })).cents).toBe(100)

  env.nats.subscribe(env.mesh.names.request('price.slow'), {
    callback(_, msg) {
      const n = msg.json<{ n: number }>().n
      if (n > 0) msg.respond(`{"n":${n},"by":"plain"}`)
      const block = headers()
      block.set('Nats-Service-Error', 'below zero')
      block.set('Nats-Service-Error-Code', '409')
      if (n < 0) msg.respond('', { headers: block })
    },
  })
  await env.nats.flush()
  expect(await env.mesh.request(slow, { n: 1 })).toEqual({ n: 1, by: 'plain' })
  await expect(env.mesh.request(slow, { n: -1 })).rejects.toThrow(
    'MESH_REQUEST_FAILED: price.slow failed: below zero (409)',
  )
})

test('a requester of an older version is answered by a newer responder', async () => {
  await using env = await testMesh()
  const schema = z.object({ sku: z.string(), pieces: z.number() })
  const upcast = (data: unknown): unknown => ({ ...(data as object), pieces: (data as { quantity: number }).quantity })
  const newer = request('price.quote', {
    schema,
    reply: z.object({ cents: z.number(), at: z.string() }),
    version: 2,
    upcast,
  })
  const replies = { quote: reply(newer, ({ pieces }, ctx) => ({ cents: pieces * 10 + ctx.version, at: AT })) }
  await env.mesh.start(defineService('pricing', { handlers: {}, replies }))
  expect((await env.mesh.request(quote, { sku: 'a', quantity: 4 })).cents).toBe(41)
  expect((await env.mesh.request(newer, { sku: 'a', pieces: 4 })).cents).toBe(42)
})

test('an error of another contract, caught on the way, does not pass for one’s own', async () => {
  await using env = await testMesh()
  const alike = request('price.alike', {
    schema: z.string(),
    reply: z.string(),
    errors: { 'price.unknown': z.object({ sku: z.string() }) },
  })
  const alikeReply = reply(alike, async (sku) => String((await env.mesh.request(quote, { sku })).cents))
  await env.mesh.start(pricing())
  await env.mesh.start(defineService('alike', { handlers: {}, replies: { alikeReply } }))
  expect(await env.mesh.request(alike, 'a')).toBe('100')
  await expect(env.mesh.request(alike, 'none')).rejects.toThrow('MESH_REQUEST_FAILED')
})

test('two namespaces do not hear each other', async () => {
  await using env = await testMesh()
  await using other = await testMesh({ server: env.server })
  await env.mesh.start(pricing())
  await expect(other.mesh.request(quote, { sku: 'a' })).rejects.toThrow('MESH_NO_RESPONDER')
})

test('a closed mesh asks nobody, and closing waits for the answer to what was asked', async () => {
  await using env = await testMesh()
  const { service, open } = slowBehindGate()
  await env.mesh.start(service)
  const asker = await env.connect()
  const asked = asker.request(slow, { n: 1 }, { timeoutMs: 30_000 })
  // Sent, because the connection answers in order.
  await asker.nats.flush()
  const closing = asker.close()
  await expect(asker.request(slow, { n: 2 })).rejects.toThrow('MESH_CLOSED')
  open()
  expect((await asked).n).toBe(1)
  await closing
})

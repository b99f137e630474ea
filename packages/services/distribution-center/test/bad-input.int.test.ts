import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { find, kindOf, recife, register } from './http-client.ts'
import { runningApi } from './running-api.ts'

/** What a server answers to these bytes. */
async function raw(api: string, bytes: string): Promise<{ status: string; body: unknown }> {
  const socket = connect(Number(new URL(api).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.end(bytes)
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
  return { status: head.split('\r\n', 1)[0] ?? '', body: body === '' ? undefined : JSON.parse(body) }
}

test('bytes that are no HTTP request are a problem, not an empty line', async () => {
  await using broker = await testMesh()
  await using service = await runningApi(broker)
  const lineBreak = await raw(service.url, 'POST /centers HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\rb\r\n\r\n')
  expect(lineBreak).toMatchObject({
    status: 'HTTP/1.1 400 Bad Request',
    body: { type: 'urn:malha:problem:invalid-request' },
  })
  const huge = await raw(service.url, `GET /centers HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`)
  expect(huge).toMatchObject({ body: { type: 'urn:malha:problem:headers-too-large', status: 431 } })
  expect((await raw(service.url, '\0\0\0')).status).toBe('HTTP/1.1 400 Bad Request')
})

test('a megabyte is refused and the next request is served', async () => {
  await using broker = await testMesh()
  await using service = await runningApi(broker)
  const large = await register(service.url, { ...recife, name: 'x'.repeat(1024 ** 2) })
  expect([large.status, kindOf(large)]).toStrictEqual([413, 'body-too-large'])
  expect((await register(service.url, recife)).status).toBe(202)
})

test('a full stream is 503 and nothing is half done; with room again the same key registers', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const jsm = await jetstreamManager(broker.nats)
  const stream = broker.mesh.names.stream('CENTERS')
  const { config } = await jsm.streams.info(stream)
  await jsm.streams.update(stream, { max_bytes: 100 })
  const full = await register(api.url, recife, 'k')
  expect([full.status, kindOf(full), full.headers.get('retry-after')]).toStrictEqual([503, 'unavailable', '1'])
  await jsm.streams.update(stream, { max_bytes: config.max_bytes })
  const { body } = await register(api.url, recife, 'k')
  expect((await find(api.url, body.id)).status).toBe(200)
})

import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { kindOf, recife, register } from './http-client.ts'
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

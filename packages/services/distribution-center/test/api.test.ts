import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { expect, test } from 'vitest'
import { derivedCenterId, randomCenterId } from '../src/http/center-id.ts'
import { buildApp } from '../src/http/app.ts'
import type { ProblemBody } from '../src/http/schemas.ts'
import { unavailable } from '../src/http/problem.ts'
import { centersInMemory } from './centers-in-memory.ts'

const center = { name: 'Recife', city: { name: 'Recife', state: 'Pernambuco', country: 'BR' }, capacity: 1200 }
const centers = centersInMemory()
const app = await buildApp({ centers })

function post(
  payload: InjectOptions['payload'],
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> {
  const json = { 'content-type': 'application/json', ...headers }
  return app.inject({ method: 'POST', url: '/centers', headers: json, payload: payload! })
}

/** What a problem says, e.g. `422 invalid-body`; anything less than a whole problem throws. */
function outcome(response: LightMyRequestResponse): string {
  const body = response.json<ProblemBody>()
  const kind = body.type.replace('urn:malha:problem:', '')
  const whole = body.title.length > 0 && body.detail.length > 0 && body.status === response.statusCode
  const leaks = /node_modules|\.ts:\d+|at Object|Error:/.test(response.body)
  if (!whole || leaks || !String(response.headers['content-type']).startsWith('application/problem+json'))
    throw new Error(`no problem: ${response.statusCode} ${response.body}`)
  return `${body.status} ${kind}`
}

function faultsIn(response: LightMyRequestResponse): ProblemBody['errors'] {
  return response.json<ProblemBody>().errors
}

test('a registration is answered 202 with its place and status, and can be read there', async () => {
  const response = await post(center)
  const { id } = response.json<{ id: string }>()
  expect(response.statusCode).toBe(202)
  expect(response.headers['location']).toBe(`/centers/${id}`)
  expect(response.json()).toStrictEqual({ id, status: 'registered', traceId: null, links: { self: `/centers/${id}` } })
  const found = await app.inject(`/centers/${id}`)
  expect(found.json()).toMatchObject({ id, status: 'registered', name: 'Recife', capacity: 1200 })
})

test('all faults of a request are told at once, each with its place', async () => {
  const body = { name: 7, city: { name: '', state: 'PE', 'a/b~c': 1 }, colour: 'red' }
  const response = await post(body)
  expect(outcome(response)).toBe('422 invalid-body')
  expect(faultsIn(response)).toStrictEqual([
    { in: 'body', pointer: '/name', message: expect.stringMatching(/string/) },
    { in: 'body', pointer: '/city/name', message: expect.stringMatching(/blank/) },
    { in: 'body', pointer: '/city/country', message: 'is required' },
    { in: 'body', pointer: '/city/a~1b~0c', message: 'unknown field' },
    { in: 'body', pointer: '/colour', message: 'unknown field' },
  ])
})

test('faults in headers and body are told together, as 400', async () => {
  const response = await post({ name: '' }, { 'idempotency-key': 'a b' })
  expect(outcome(response)).toBe('400 invalid-request')
  expect(faultsIn(response)).toStrictEqual([
    { in: 'header', pointer: '/idempotency-key', message: expect.stringMatching(/visible ASCII/) },
    { in: 'body', pointer: '/name', message: expect.stringMatching(/blank/) },
    { in: 'body', pointer: '/city', message: 'is required' },
  ])
})

test.each([
  ['cut short', '{"name":'],
  ['empty', ''],
  ['two values', '{} {}'],
  ['not UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22])],
  ['30 000 levels deep and open', '['.repeat(30_000)],
])('a body that is %s is 400', async (_what, payload) => {
  expect(outcome(await post(payload))).toBe('400 malformed-body')
})

test.each([
  ['an array', '[]'],
  ['null', 'null'],
  ['a number', '7'],
  ['30 000 levels deep', '['.repeat(30_000) + ']'.repeat(30_000)],
  ['a prototype', '{"__proto__":{"name":"x"}}'],
])('a body that is %s is 422', async (_what, payload) => {
  expect(outcome(await post(payload))).toBe('422 invalid-body')
})

test('no body at all is a problem too', async () => {
  expect(outcome(await app.inject({ method: 'POST', url: '/centers' }))).toBe('422 invalid-body')
})

test('a thousand unknown fields do not make an endless answer', async () => {
  const fields = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`field-${index}`, 1]))
  const response = await post({ ...center, ...fields })
  expect(outcome(response)).toBe('422 invalid-body')
  expect(response.body.length).toBeLessThan(4000)
})

test('a body over 64 KiB is 413, one just under it is read', async () => {
  expect(outcome(await post({ ...center, name: 'x'.repeat(1024 ** 2) }))).toBe('413 body-too-large')
  expect(outcome(await post({ ...center, name: 'x'.repeat(65_000) }))).toBe('422 invalid-body')
})

test('a body of another type is 415', async () => {
  expect(outcome(await post('<a/>', { 'content-type': 'application/xml' }))).toBe('415 unsupported-media-type')
  expect(outcome(await post('{}', { 'content-type': 'application/jsonp' }))).toBe('415 unsupported-media-type')
})

test('JSON with a charset parameter is JSON', async () => {
  expect((await post(center, { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(202)
})

test.each(['', 'a b', 'ü', 'x'.repeat(256), 'a\tb'])('%j is no idempotency key', async (key) => {
  expect(outcome(await post(center, { 'idempotency-key': key }))).toBe('400 invalid-request')
})

test('the same key and body give the same answer, another body is 422, another client another centre', async () => {
  const headers = { 'idempotency-key': '.*>~"', 'x-client-id': 'shop' }
  const first = await post(center, headers)
  expect((await post(center, headers)).body).toBe(first.body)
  expect(outcome(await post({ ...center, capacity: 1 }, headers))).toBe('422 idempotency-conflict')
  expect((await post(center, { ...headers, 'x-client-id': 'other' })).json()).not.toMatchObject(first.json<object>())
})

test('ids: the same for the same client and key, else never', () => {
  expect(derivedCenterId('a', 'b')).toBe(derivedCenterId('a', 'b'))
  expect(derivedCenterId('a', 'b')).not.toBe(derivedCenterId('b', 'a'))
  expect(derivedCenterId('ab', 'c')).not.toBe(derivedCenterId('a', 'bc'))
  expect(new Set(Array.from({ length: 100 }, randomCenterId)).size).toBe(100)
  for (const id of [derivedCenterId('a', 'b'), randomCenterId()]) expect(id).toMatch(/^ctr_[0-9a-f]{32}$/)
})

test.each(['/nothing', '/centers/ctr_1/more', '/centers/%ff', '/'])('GET %s is 404', async (url) => {
  expect(outcome(await app.inject(url))).toBe('404 unknown-path')
})

test('an unknown centre is 404, an id that can be none is 400', async () => {
  expect(outcome(await app.inject('/centers/ctr_unknown'))).toBe('404 unknown-center')
  expect(outcome(await app.inject('/centers/a.b'))).toBe('400 invalid-request')
  expect(outcome(await app.inject('/centers/%3E'))).toBe('400 invalid-request')
})

test.each([
  ['DELETE', '/centers', 'GET, HEAD, POST'],
  ['PUT', '/centers/ctr_1', 'GET, HEAD'],
  ['POST', '/centers/ctr_1', 'GET, HEAD'],
] as const)('%s %s is 405 and says what is allowed', async (method, url, allow) => {
  const response = await app.inject({ method, url, payload: '{', headers: { 'content-type': 'application/json' } })
  expect(outcome(response)).toBe('405 method-not-allowed')
  expect(response.headers['allow']).toBe(allow)
})

test.each(['limit=0', 'limit=201', 'limit=x', 'after=a.b', 'status=lost', 'page=2', 'limit=1&limit=2'])(
  'GET /centers?%s is 400',
  async (query) => {
    const response = await app.inject(`/centers?${query}`)
    expect(outcome(response)).toBe('400 invalid-request')
    expect(faultsIn(response)).toMatchObject([{ in: 'query', pointer: `/${query.split('=', 1)[0]}` }])
  },
)

test('an error nobody foresaw is 500 and says nothing of itself', async () => {
  const broken = await buildApp({
    centers: { ...centers, find: () => Promise.reject(new Error('secret of the house')) },
  })
  const response = await broken.inject('/centers/ctr_1')
  expect(outcome(response)).toBe('500 internal')
  expect(response.body).not.toContain('secret')
})

test('a broker that is away is 503 with Retry-After', async () => {
  const away = await buildApp({
    centers: { ...centers, register: () => Promise.reject(unavailable('The broker is away')) },
  })
  const response = await away.inject({ method: 'POST', url: '/centers', payload: center })
  expect(outcome(response)).toBe('503 unavailable')
  expect(response.headers['retry-after']).toBe('1')
})

type Operation = {
  requestBody?: { content: { 'application/json': object } }
  responses: Record<string, { content: object }>
}

test('/openapi.json describes every route, with examples and problems', async () => {
  const document = (await app.inject('/openapi.json')).json<{
    openapi: string
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, { examples?: unknown[] }> }
  }>()
  expect(document.openapi).toBe('3.1.0')
  expect(Object.entries(document.paths).map(([path, item]) => [path, Object.keys(item)])).toStrictEqual([
    ['/centers', ['post', 'get']],
    ['/centers/{id}', ['get']],
  ])
  expect(Object.keys(document.paths['/centers']?.['post']?.responses['422']?.content ?? {})).toStrictEqual([
    'application/problem+json',
  ])
  expect(Object.keys(document.components.schemas).sort()).toStrictEqual([
    'Accepted',
    'Center',
    'CenterPage',
    'Partner',
    'Problem',
  ])
  for (const name of ['Accepted', 'Center', 'Problem'])
    expect([name, document.components.schemas[name]?.examples]).toStrictEqual([name, [expect.any(Object)]])
  const body = document.paths['/centers']?.['post']?.requestBody?.content['application/json']
  expect(body).toMatchObject({ schema: { additionalProperties: false }, example: { name: expect.any(String) } })
})

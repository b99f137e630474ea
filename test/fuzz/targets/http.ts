import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { buildApp } from '../../../packages/services/distribution-center/src/http/app.ts'
import {
  Accepted,
  CenterPage,
  CenterView,
  ProblemBody,
} from '../../../packages/services/distribution-center/src/http/schemas.ts'
import { centersInMemory } from '../../../packages/services/distribution-center/test/centers-in-memory.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { junk } from './junk.ts'

const centers = centersInMemory()
const app = await buildApp({ centers })
await app.ready()

/** Whatever is asked is answered as documented: what was asked for, or a problem that is none of the service's. */
export const http: Target = {
  name: 'http',
  async run(bytes) {
    const input = new Input(bytes)
    const asked = someRequest(input)
    const response = await app.inject(asked).catch((error: unknown) => notSent(error))
    if (response) answersWell(asked, response)
    if (centers.known.size > 1000) centers.known.clear()
  },
  seeds: [
    '\0\0',
    '\x01\x01\x05limit',
    '\0\0\x01{"name":"Recife","city":{"name":"Recife","state":"PE","country":"BR"},"capacity":1}',
  ].map((text) => new TextEncoder().encode(text)),
  words: [
    '{"name":"R","city":{"name":"R","state":"P","country":"BR"}}',
    '"capacity":',
    '"__proto__":',
    'limit=',
    'after=',
    'status=onboarded',
    '&',
    '%ff',
    '\\ud800',
    '"address":"x"',
    '/../',
    'ctr_',
  ],
}

const METHODS = ['POST', 'POST', 'GET', 'GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const CENTER = {
  name: 'Recife',
  city: { name: 'Recife', state: 'Pernambuco', country: 'BR', geonameId: 7 },
  address: 'a',
  capacity: 1,
}
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json;',
  'text/plain',
  'Application/JSON ; x',
] as const

function someRequest(input: Input): InjectOptions {
  const method = input.pick([...METHODS])
  const path = input.pick(['/centers', '/centers', '/centers/', '/', '/openapi.json', '/centers/ctr_1'])
  const tail = input.flag() ? asUrl(input.text(40)) : ''
  const query = input.flag() ? `?${asUrl(input.text(60))}` : ''
  const headers: Record<string, string> = {}
  if (input.flag()) headers['content-type'] = input.flag() ? input.pick([...TYPES]) : asHeader(input.text(30))
  for (const name of ['idempotency-key', 'x-client-id', 'traceparent', 'accept'])
    if (input.upTo(3) === 0) headers[name] = asHeader(input.text(30))
  const withBody = method !== 'GET' && method !== 'HEAD'
  return { method, url: `${path}${tail}${query}`, headers, ...(withBody && { payload: someBody(input) }) }
}

/** What a client can put into a request line. */
const asUrl = (text: string): string =>
  text.replaceAll(/[^!-~]/g, (char) => (char < '\u0080' ? '%20' : encodeURIComponent(char.toWellFormed())))
const asHeader = (text: string): string => text.replaceAll(/[^\t -~\u0080-\u00FF]/g, '')

function someBody(input: Input): Buffer {
  if (input.flag()) return Buffer.from(input.rest())
  const center: Record<string, unknown> = structuredClone(CENTER)
  for (let count = input.upTo(3); count > 0; count--) {
    const place = input.flag() ? center : (center['city'] as Record<string, unknown>)
    if (typeof place !== 'object' || place === null) continue
    const name = input.pick(['name', 'city', 'state', 'country', 'geonameId', 'address', 'capacity', 'x'])
    if (input.flag()) delete place[name]
    else place[name] = jsonJunk(input)
  }
  return Buffer.from(JSON.stringify(center))
}

function jsonJunk(input: Input): unknown {
  try {
    return JSON.parse(JSON.stringify(junk(input)) ?? 'null') as unknown
  } catch {
    return null // a bigint has no JSON
  }
}

/** The injector refuses what no client could send either. */
function notSent(error: unknown): undefined {
  check(
    error instanceof Error &&
      /invalid (url|header|character)|ERR_INVALID/i.test(`${error.message} ${(error as { code?: string }).code ?? ''}`),
    'the service threw',
    error,
  )
}

function answersWell(asked: InjectOptions, response: LightMyRequestResponse): void {
  const { statusCode: status } = response
  check(status < 500, `status ${status}`, asked, response.body)
  if (asked.method === 'HEAD' || status === 204) return
  const type = String(response.headers['content-type'])
  if (status >= 400) {
    check(type.startsWith('application/problem+json'), `status ${status} is no problem`, asked, type, response.body)
    const body = ProblemBody.safeParse(JSON.parse(response.body))
    check(body.success && body.data.status === status, 'a problem is not as documented', asked, response.body)
    check(response.body.length < 20_000, 'a problem is endless', asked)
    check(
      !/node_modules|\.ts:\d+|at Object|Error:/.test(body.data.title + body.data.detail),
      'a problem tells of the inside',
      response.body,
    )
    return
  }
  check(status === 200 || status === 202, `status ${status}`, asked, response.body)
  check(type.startsWith('application/json'), 'an answer is no JSON', asked, type)
  const body = JSON.parse(response.body) as unknown
  if (status === 202) check(Accepted.safeParse(body).success, 'an acceptance is not as documented', body)
  else if (typeof body === 'object' && body !== null && 'links' in body)
    check(CenterPage.safeParse(body).success, 'a page is not as documented', body)
  else if (typeof body === 'object' && body !== null && 'partners' in body)
    check(CenterView.safeParse(body).success, 'a centre is not as documented', body)
}

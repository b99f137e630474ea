import type { ServerResponse } from 'node:http'
import { Reject, ResponseError, RetryAfter } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type PartnerCall, PartnerError, partnerClient, type PartnerClientOptions } from '../src/index.ts'
import { say, type Scripted, scriptedPartner } from './scripted-partner.ts'

const Answer = z.object({ id: z.string().min(1) })

function call(more: Partial<PartnerCall<{ id: string }>> = {}): PartnerCall<{ id: string }> {
  const signal = new AbortController().signal
  return { path: '/things', body: { a: 'ü' }, idempotencyKey: 'k1', answer: Answer, signal, ...more }
}

const clientOf = ({ url }: Scripted, more: Partial<PartnerClientOptions> = {}): ReturnType<typeof partnerClient> =>
  partnerClient({ partner: 'acme', url, ...more })

const failureOf = (promise: Promise<unknown>): Promise<Error & { code?: string }> =>
  promise.then(
    () => new Error('it succeeded'),
    (error: unknown) => error as Error,
  )

test('a call carries the body, the key and the path below the base, and gives the checked answer', async () => {
  await using partner = await scriptedPartner((response) => say(response, 201, { id: 'x', more: 1 }))
  await using client = partnerClient({ partner: 'acme', url: `${partner.url}/base/` })
  expect(await client.post(call())).toEqual({ id: 'x' })
  expect(partner.requests).toMatchObject([
    {
      url: '/base/things',
      body: '{"a":"ü"}',
      headers: { 'idempotency-key': 'k1', 'content-type': 'application/json' },
    },
  ])
})

test('a key that no header could hold is encoded, the same way each time', async () => {
  await using partner = await scriptedPartner((response) => say(response, 201, { id: 'x' }))
  await using client = clientOf(partner)
  for (let attempt = 0; attempt < 2; attempt++) await client.post(call({ idempotencyKey: 'ключ\r\nx: y' }))
  const keys = partner.requests.map(({ headers }) => headers['idempotency-key'])
  expect(new Set(keys).size).toBe(1)
  expect(keys[0]).toMatch(/^[\x21-\x7e]+$/)
  expect(partner.requests[0]?.headers).not.toHaveProperty('x')
})

test.for([
  [404, {}, Reject],
  [422, {}, Reject],
  [409, {}, ResponseError],
  [500, {}, ResponseError],
  [302, { location: '/elsewhere' }, ResponseError],
  [503, {}, ResponseError],
  [503, { 'retry-after': '3' }, RetryAfter],
] as const)('an answer of %i with %j is a %o', async ([status, headers, kind]) => {
  await using partner = await scriptedPartner((response) => say(response, status, { title: 'no such\n luck' }, headers))
  await using client = clientOf(partner)
  const failure = await failureOf(client.post(call()))
  expect(failure).toBeInstanceOf(kind)
  expect(failure.message).toContain('/things answered')
  // The mesh shows causes, and only the partner can say why.
  expect((failure.cause as Error).message).toBe('{"title":"no such\\n luck"}')
  expect(partner.requests).toHaveLength(1)
})

test('a refusal counts by its status, however long its page is', async () => {
  await using partner = await scriptedPartner((response) => response.writeHead(422).end('x'.repeat(200_000)))
  await using client = clientOf(partner)
  expect(await failureOf(client.post(call()))).toBeInstanceOf(Reject)
})

test.for(['', 'not JSON', '{"id":7}', '{"id":""}', 'null'])('a 200 that says %j is retried', async (text) => {
  await using partner = await scriptedPartner((response) => response.end(text))
  await using client = clientOf(partner)
  const failure = await failureOf(client.post(call()))
  expect(failure).toMatchObject({ name: 'PartnerError', code: 'PARTNER_BAD_ANSWER' })
})

test('an answer without end is given up, not kept in memory', async () => {
  await using partner = await scriptedPartner((response) => {
    response.writeHead(200)
    const more = setInterval(() => response.write('x'.repeat(16_384)), 1)
    response.on('close', () => clearInterval(more))
  })
  await using client = clientOf(partner)
  expect(await failureOf(client.post(call()))).toMatchObject({ code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
})

test('a partner that never answers, stops in the middle, or dribbles, is given up in time', async () => {
  const scripts: ((response: ServerResponse) => void)[] = [() => undefined, begin, dribble]
  await using silent = await scriptedPartner((response, nth) => scripts[nth - 1]?.(response))
  await using client = clientOf(silent, { timeoutMs: 1_000 })
  for (const _ of scripts)
    expect(await failureOf(client.post(call()))).toMatchObject({
      code: 'PARTNER_TIMEOUT',
      message: expect.stringContaining('acme: POST'),
    })
  expect(silent.requests).toHaveLength(scripts.length)
})

function begin(response: ServerResponse): void {
  response.writeHead(200).write('{"id":')
}

/** Never silent for long, and never done. */
function dribble(response: ServerResponse): void {
  const more = setInterval(() => response.write(' '), 50)
  response.on('close', () => clearInterval(more))
}

test('a refused connection and a cut one keep the code of the socket', async () => {
  await using cutting = await scriptedPartner((response) => response.socket?.destroy())
  await using client = clientOf(cutting)
  const cut = await failureOf(client.post(call()))
  expect(cut).toBeInstanceOf(PartnerError)
  expect(cut.code).toBe('UND_ERR_SOCKET')
  await cutting.stop()
  expect((await failureOf(client.post(call()))).code).toBe('ECONNREFUSED')
})

test('when the handler gives up, the call ends with its reason', async () => {
  await using silent = await scriptedPartner(() => undefined)
  await using client = clientOf(silent)
  const handler = new AbortController()
  const failing = failureOf(client.post(call({ signal: handler.signal })))
  await expect.poll(() => silent.requests.length, { timeout: 20_000 }).toBe(1)
  const reason = new Error('the handler ran too long')
  handler.abort(reason)
  expect(await failing).toBe(reason)
})

test('connections are kept over answers of every kind, and there are never more than agreed', async () => {
  const answers: ((response: Parameters<typeof say>[0]) => void)[] = [
    (response) => say(response, 201, { id: 'x' }),
    (response) => say(response, 500, { long: 'x'.repeat(30_000) }),
    (response) => say(response, 404, {}),
    (response) => void response.end('nonsense'),
  ]
  await using partner = await scriptedPartner((response, nth) => answers[nth % answers.length]?.(response))
  await using client = clientOf(partner, { connections: 4 })
  await Promise.all(Array.from({ length: 100 }, () => failureOf(client.post(call()))))
  expect(partner.requests).toHaveLength(100)
  expect(partner.connections()).toBeLessThanOrEqual(4)
})

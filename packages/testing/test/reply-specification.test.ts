/* oxlint-disable vitest/expect-expect -- a specification asserts in its .then(…) */
import { defineService, reply, replyError, request } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { specification } from '../src/specification.ts'
import { testClock } from '../src/test-clock.ts'

const quote = request('price.quote', {
  schema: z.object({ sku: z.string(), quantity: z.coerce.number().default(1) }),
  reply: z.object({ cents: z.number(), at: z.string().transform((text) => new Date(text)) }),
  errors: { 'price.unknown': z.object({ sku: z.string() }) },
  version: 2,
  upcast: (data) => ({ sku: (data as { article: string }).article }),
})
const list = request('price.list', {
  schema: z.object({ upTo: z.number() }),
  reply: z.number(),
  errors: { 'price.closed': z.object({}) },
  streaming: true,
})
const AT = '2026-11-20T10:00:00.000Z'

const pricing = defineService('pricing', {
  handlers: {},
  replies: {
    quote: reply(quote, ({ sku, quantity }, ctx) => {
      if (sku === 'none') throw replyError(quote, 'price.unknown', { sku })
      if (sku === 'torn') throw replyError(quote, 'price.unknown', { sku: 7 as never })
      if (sku === 'odd') return { cents: 'many' as never, at: AT }
      return { cents: quantity * (ctx.headers['x-tenant'] === 'acme' ? 90 : 100) + ctx.version, at: AT }
    }),
    list: reply(list, async function* ({ upTo }) {
      for (let n = 1; n <= upTo; n++) yield n
      if (upTo > 2) throw replyError(list, 'price.closed', {})
    }),
    slow: reply(request('price.slow', { schema: z.null(), reply: z.null() }), { timeoutMs: 500 }, (_, ctx) => {
      return new Promise((_resolve, reject) => {
        ctx.signal.addEventListener('abort', () => reject(new Error('told to stop')))
      })
    }),
  },
})
const { quote: quoting, list: listing, slow } = pricing.replies

test('a reply that answers as specified passes, data and answer taken through the schemas', async () => {
  await specification(quoting)
    .when({ sku: 'a', quantity: '3' })
    .then({ reply: { cents: 302, at: AT } })
  await specification(quoting)
    .given({ headers: { 'X-Tenant': 'acme' } })
    .given({ version: 1 })
    .when({ article: 'a' })
    .then({ reply: { cents: 91, at: AT } })
})

test('an error of the contract is told by its code and its data', async () => {
  await specification(quoting)
    .when({ sku: 'none' })
    .then({ error: 'price.unknown', data: { sku: 'none' } })
  const other = specification(quoting)
    .when({ sku: 'none' })
    .then({ error: 'price.unknown', data: { sku: 'x' } })
  await expect(other).rejects.toThrow('the error says something else')
})

test('what never reaches the function, and what does not fit the contract, is the error the mesh makes of it', async () => {
  await specification(quoting).when({ sku: 7 }).then({ error: 'MESH_SCHEMA_MISMATCH' })
  await specification(quoting).given({ version: 3 }).when({}).then({ error: 'MESH_NEWER_VERSION' })
  await specification(quoting)
    .when({ sku: 'odd' })
    .then({ error: /MESH_INVALID_PAYLOAD: the reply to price.quote.*cents/s })
  await specification(quoting)
    .when({ sku: 'torn' })
    .then({ error: /MESH_INVALID_PAYLOAD: the error price.unknown of price.quote.*sku/s })
})

test('the parts of a stream are compared in their order, also those before an error', async () => {
  await specification(listing)
    .when({ upTo: 2 })
    .then({ replies: [1, 2] })
  await specification(listing)
    .when({ upTo: 3 })
    .then({ replies: [1, 2, 3], error: 'price.closed' })
  const short = specification(listing)
    .when({ upTo: 2 })
    .then({ replies: [1] })
  await expect(short).rejects.toThrow('the reply answered something else')
})

test('the signal aborts when the clock passes the reply’s time', async () => {
  const clock = testClock()
  const asked = specification(slow).given({ clock }).when(null)
  // Decoding takes a turn or two.
  await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(500)
  // oxlint-disable-next-line vitest/valid-expect-in-promise -- a specification asserts in its .then(…)
  await asked.then({ error: 'MESH_HANDLER_TIMEOUT' })
})

test('a difference fails with what happened; an expectation that can never come true says so', async () => {
  const other = specification(quoting)
    .when({ sku: 'a' })
    .then({ reply: { cents: 1, at: AT } })
  await expect(other).rejects.toThrow('the reply answered something else')
  await expect(specification(quoting).when({ sku: 'a' }).then({ error: 'x' })).rejects.toThrow('the reply succeeded')
  await expect(specification(quoting).when({ sku: 'none' }).then({ reply: 1 })).rejects.toThrow('the reply failed with')
  const never = specification(quoting)
    .when({ sku: 'a' })
    .then({ reply: { cents: 'many' } })
  await expect(never).rejects.toThrow('the expected reply can never be given')
  expect(() => specification(pricing.replies['nobody'])).toThrow('there is no such handler or reply')
})

import { defineService, isReplyError, type Mesh, reply, type ReplyError, replyError, request } from '@malha/mesh'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const quote = request('price.quote', {
  schema: z.object({ sku: z.string(), at: z.string().transform((text) => new Date(text)) }),
  reply: z.object({ cents: z.string().transform(Number) }),
  errors: {
    'price.unknown': z.object({ sku: z.string() }),
    'price.expired': z.object({ since: z.string().transform((text) => new Date(text)) }),
  },
})
const list = request('price.list', {
  schema: z.object({ from: z.number() }),
  reply: z.object({ n: z.string().transform(Number) }),
  streaming: true,
})
declare const mesh: Mesh

test('a requester gives the schema’s input and gets the reply schema’s output', () => {
  expectTypeOf(mesh.request(quote, { sku: 'a', at: '2026-11-20T10:00:00Z' })).resolves.toEqualTypeOf<{
    cents: number
  }>()
  // @ts-expect-error a field is missing
  void mesh.request(quote, { sku: 'a' })
  // @ts-expect-error a field has another type
  void mesh.request(quote, { sku: 1, at: '' })
})

test('a responder gets the schema’s output and gives the reply schema’s input', () => {
  reply(quote, (data, ctx) => {
    expectTypeOf(data).toEqualTypeOf<{ sku: string; at: Date }>()
    expectTypeOf(ctx.deadline).toEqualTypeOf<Date>()
    return { cents: '100' }
  })
  reply(quote, { concurrency: 2 }, async ({ sku }) => ({ cents: sku }))
  // @ts-expect-error the reply has another type
  reply(quote, () => ({ cents: 100 }))
  // @ts-expect-error nothing is answered
  reply(quote, () => {})
})

test('errors of the contract are typed on both sides', () => {
  expectTypeOf(replyError(quote, 'price.unknown', { sku: 'a' })).toEqualTypeOf<
    ReplyError<'price.unknown', { sku: string }>
  >()
  // @ts-expect-error the contract has no such error
  replyError(quote, 'price.lost', {})
  // @ts-expect-error its data has another type
  replyError(quote, 'price.unknown', { sku: 1 })
  // @ts-expect-error a contract without errors has none
  replyError(list, 'price.unknown', { sku: 'a' })
  const caught: unknown = undefined
  if (isReplyError(caught, quote)) {
    expectTypeOf(caught.code).toEqualTypeOf<'price.unknown' | 'price.expired'>()
    if (caught.code === 'price.expired') expectTypeOf(caught.data.since).toEqualTypeOf<Date>()
    else expectTypeOf(caught.data).toEqualTypeOf<{ sku: string }>()
  }
})

test('a stream is asked for as one, and its reply yields the parts', () => {
  expectTypeOf(mesh.requestStream(list, { from: 1 })).toEqualTypeOf<AsyncGenerator<{ n: number }, void>>()
  reply(list, async function* ({ from }) {
    yield { n: String(from) }
  })
  // @ts-expect-error a streaming request has several replies
  void mesh.request(list, { from: 1 })
  // @ts-expect-error a plain request has one
  mesh.requestStream(quote, { sku: 'a', at: '' })
  // @ts-expect-error a promise is no stream
  reply(list, async () => ({ n: '1' }))
  // @ts-expect-error its parts have another type
  reply(list, async function* () {
    yield { n: 1 }
  })
})

test('a reply is made by reply()', () => {
  // @ts-expect-error a bare function says not what it answers
  defineService('x', { handlers: {}, replies: { a: () => {} } })
})

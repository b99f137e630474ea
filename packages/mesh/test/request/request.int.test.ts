import { defineService, isReplyError, type MeshError, reply, replyError, request, type ServiceDef } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const quote = request('price.quote', {
  schema: z.object({ sku: z.string(), quantity: z.number().int().default(1) }),
  reply: z.object({ cents: z.number(), at: z.string().transform((text) => new Date(text)) }),
  errors: { 'price.unknown': z.object({ sku: z.string() }) },
})

const AT = '2026-11-20T10:00:00.000Z'

function pricing(): ServiceDef {
  return defineService('pricing', {
    handlers: {},
    replies: {
      quote: reply(quote, ({ sku, quantity }) => {
        if (sku === 'none') throw replyError(quote, 'price.unknown', { sku })
        if (sku === 'broken') throw new Error('password is hunter2')
        return { cents: 100 * quantity, at: AT }
      }),
    },
  })
}

test('a request is answered with the output of the reply’s schema', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  expect(await env.mesh.request(quote, { sku: 'a', quantity: 3 })).toEqual({ cents: 300, at: new Date(AT) })
  expect(await env.mesh.request(quote, { sku: 'a' })).toEqual({ cents: 100, at: new Date(AT) })
})

test('an error of the contract crosses the wire with its code and data', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  const error: unknown = await env.mesh.request(quote, { sku: 'none' }).catch((caught: unknown) => caught)
  expect(isReplyError(error, quote)).toBe(true)
  expect(error).toMatchObject({ code: 'price.unknown', data: { sku: 'none' } })
})

test('any other error is MESH_REQUEST_FAILED without a word of it', async () => {
  await using env = await testMesh()
  await env.mesh.start(pricing())
  const error = await env.mesh.request(quote, { sku: 'broken' }).catch((caught: MeshError) => caught)
  expect(error).toMatchObject({ code: 'MESH_REQUEST_FAILED' })
  expect((error as MeshError).message).not.toContain('hunter2')
})

import { connectMesh, defineService, meshOptions, reply, request } from '@malha/mesh'
import { testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { fences, readText } from '../../pages.ts'
import { provision } from '../provision.ts'
import { pricing } from './pricing.ts'
import { priceQuote } from './prices.ts'
import { cheapest, priceOf } from './shop.ts'

const prices = new Map([
  ['tea-green', 450],
  ['tea-black', 390],
  ['coffee', 700],
])

test('what the page shows asks, answers and tells apart what is not known', async () => {
  await using env = await testMesh()
  const shop = await env.connect({ name: 'shop' })
  const early = priceOf(shop, 'coffee', 2)
  await env.mesh.start(pricing(prices))
  expect(await early).toBe(1400)
  expect(await priceOf(shop, 'cocoa', 1)).toBeUndefined()
  await expect(priceOf(shop, 'coffee', 0)).rejects.toThrow('MESH_INVALID_PAYLOAD')
  expect(await cheapest(shop, 'tea-')).toBe('tea-black')
  expect(await cheapest(shop, 'cocoa')).toBeUndefined()
})

const config = fences(readText('docs/how-to/ask-another-service.md'))
  .find(({ info }) => info === 'conf')!
  .body.replace('$DEPLOYER_PASSWORD', 'deployer-pw')
  .replace('$PRICING_PASSWORD', 'pricing-pw')
  .replace('$SHOP_PASSWORD', 'shop-pw')

test('with the permissions of the page both sides work, are seen by micro tools, and are refused nothing', async () => {
  await using server = await testServer({ config })
  const as = (user: string) => ({
    NATS_URL: server.url,
    NATS_USER: user,
    NATS_PASSWORD: `${user}-pw`,
    NATS_INBOX_PREFIX: `_INBOX_${user}`,
  })
  await provision([pricing(prices)], as('deployer'))
  const refusals: object[] = []
  const logger = {
    debug() {},
    info: (fields: object, message: string) => message.startsWith('not seen') && refusals.push(fields),
    warn: (fields: object) => refusals.push(fields),
    error: (fields: object) => refusals.push(fields),
  }
  await using responder = await connectMesh({ ...meshOptions(as('pricing')), logger })
  await using shop = await connectMesh({ ...meshOptions(as('shop')), logger })
  await using admin = await connectMesh(meshOptions(as('deployer')))
  await responder.start(pricing(prices))
  expect(await priceOf(shop, 'coffee', 1)).toBe(700)
  expect(await cheapest(shop, 'tea-')).toBe('tea-black')
  const info = await admin.nats.request('$SRV.INFO.pricing')
  expect(info.json()).toMatchObject({ name: 'pricing' })
  expect(refusals).toEqual([])
})

test('who may not ask is told so at once, and who may not answer does not start', async () => {
  await using server = await testServer({ config })
  const as = (user: string) => ({ NATS_URL: server.url, NATS_USER: user, NATS_PASSWORD: `${user}-pw` })
  const shop = { ...as('shop'), NATS_INBOX_PREFIX: '_INBOX_shop' }
  await using outside = await connectMesh(meshOptions({ ...shop, MALHA_NAMESPACE: 'other' }))
  await expect(outside.request(priceQuote, { sku: 'a', quantity: 1 })).rejects.toThrow(
    'MESH_REQUEST_FAILED: price.quote was not asked: this user may not publish on other.request.price.quote',
  )
  const replies = { quote: reply(priceQuote, () => ({ cents: 1 })), more: reply(stock, () => 1) }
  const curious = defineService('pricing', { handlers: {}, replies })
  await provision([curious], { ...as('deployer'), NATS_INBOX_PREFIX: '_INBOX_deployer' })
  await using responder = await connectMesh(meshOptions({ ...as('pricing'), NATS_INBOX_PREFIX: '_INBOX_pricing' }))
  await expect(responder.start(curious)).rejects.toThrow(
    'MESH_TOPOLOGY: service pricing cannot start: 1 fault\n  - reply more: this user may not subscribe to request.stock.level',
  )
  // Nothing of it is left behind.
  await expect(responder.start(pricing(prices))).resolves.toBeDefined()
})

const stock = request('stock.level', { schema: z.string(), reply: z.number() })

import { Parser } from '@asyncapi/parser'
import { command, defineService, event, on, reply, request, type ServiceDef, stream } from '@malha/mesh'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { defineDeployment, generate } from '../src/index.ts'

/** The parser reads AsyncAPI's own schemas first: seconds on a busy machine. */
const PATIENT = { timeout: 60_000 }

const orders = stream('ORDERS', { subjects: ['order.>'] })
const quote = request('price.quote', { schema: z.object({ sku: z.string() }), reply: z.object({ cents: z.number() }) })

function shop({ total = z.number(), version = '1.0.0' }: { total?: z.ZodType; version?: string } = {}): ServiceDef {
  const placed = event('order.placed', {
    stream: orders,
    schema: z.object({ id: z.string(), total }),
    key: ({ id }) => id,
  })
  const pack = command('order.pack', { stream: orders, schema: z.object({ id: z.string() }), priorities: true })
  return defineService('shop', {
    version,
    publishes: [placed],
    handlers: {
      bill: on(placed, { startFrom: 'all' }, () => undefined),
      pack: on(pack, { startFrom: 'all' }, () => undefined),
    },
    replies: { quote: reply(quote, () => ({ cents: 1 })) },
  })
}

async function documentOf(service?: ServiceDef): Promise<string | undefined> {
  const deployment = defineDeployment({
    name: 'shop',
    namespace: 'shop',
    workloads: [
      ...(service ? [{ name: 'shop', service, kind: 'Deployment', ports: {} } as const] : []),
      { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
    ],
  })
  return (await generate(deployment)).get('asyncapi/shop.yaml')
}

it(
  'contracts of a deployment are a document that the parser of AsyncAPI takes, with who sends and who receives',
  PATIENT,
  async () => {
    const text = (await documentOf(shop()))!
    const { document, diagnostics } = await new Parser().parse(text)
    expect(diagnostics.filter(({ severity }) => [0, 1].includes(severity))).toEqual([])
    expect(document!.allChannels().map((channel) => channel.address())).toEqual(
      expect.arrayContaining(['order.placed.{partition}.{key}', 'order.pack', 'request.price.quote']),
    )
    expect(document!.allOperations().map((one) => `${one.id()} ${one.action()}`)).toEqual(
      expect.arrayContaining(['shop.bill receive', 'shop.sends.order.placed send', 'shop.quote receive']),
    )
    expect(parse(text)).toMatchObject({
      info: { title: 'shop', description: 'Contracts of shop: what is handled, answered and published.' },
      servers: { nats: { host: 'nats.nats.svc.cluster.local:4222' } },
    })
  },
)

it('a contract that changes changes the document, a release that changes none does not', async () => {
  const before = (await documentOf(shop()))!
  const after = (await documentOf(shop({ total: z.number().positive() })))!
  const changed = after.split('\n').filter((line) => !before.split('\n').includes(line))
  expect(changed.map((line) => line.trim())).toEqual(['exclusiveMinimum: 0'])
  expect(await documentOf(shop({ version: '2.0.0' }))).toBe(before)
})

it('a contract whose schema cannot be shown is named', async () => {
  expect(await documentOf(shop({ total: z.bigint() }))).toContain('Left out: shop: order.placed (')
})

it('a deployment of tools alone has none', async () => {
  expect(await documentOf()).toBeUndefined()
})

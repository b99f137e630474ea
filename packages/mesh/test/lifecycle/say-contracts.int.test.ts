import {
  connectMesh,
  command,
  defineService,
  event,
  type Logger,
  on,
  reply,
  request,
  type ServiceContracts,
  stream,
  topic,
} from '@malha/mesh'
import { eventually, testMesh, type TestMesh, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>', 'invoice.>'] })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ orderId: z.string() }),
  key: ({ orderId }) => orderId,
})
const issue = command('invoice.issue', { stream: orders, schema: z.object({ orderId: z.string() }) })
const quote = request('price.quote', { schema: z.object({ sku: z.string() }), reply: z.object({ cents: z.number() }) })
const plain: StandardSchemaV1 = {
  '~standard': { version: 1, vendor: 'plain', validate: (value) => ({ value }) },
}
const mute = event('order.mute', { stream: orders, schema: plain })

const billing = (version: string) =>
  defineService('billing', {
    version,
    handlers: {
      bill: on(placed, { startFrom: 'all' }, () => undefined),
      audit: on(topic(orders, 'order.>'), { startFrom: 'all' }, () => undefined),
    },
    replies: { quote: reply(quote, () => ({ cents: 1 })) },
    publishes: [issue, mute],
    retired: ['old'],
  })

async function said({ mesh }: TestMesh, service: string): Promise<ServiceContracts> {
  const bucket = await mesh.bucket('MESH_CONTRACTS')
  return (await bucket.get(service))!.json<ServiceContracts>()
}

async function written({ mesh }: TestMesh): Promise<number> {
  const jsm = await jetstreamManager(mesh.nats)
  return (await jsm.streams.info(`KV_${mesh.names.bucket('MESH_CONTRACTS')}`)).state.last_seq
}

describe('a service says its contracts', () => {
  it('at its start: handlers, replies, what it publishes, and the schemas of all that can be told', async () => {
    await using test = await testMesh()
    await test.mesh.start(billing('1.0.0'))
    await eventually(async () => expect(await written(test)).toBe(1))
    const record = await said(test, 'billing')
    expect(record).toMatchObject({
      v: 1,
      service: 'billing',
      version: '1.0.0',
      handlers: [
        { handler: 'bill', source: 'order.placed', isTopic: false, stream: 'ORDERS', order: null },
        { handler: 'audit', source: 'order.>', isTopic: true },
      ],
      replies: [{ reply: 'quote', type: 'price.quote' }],
      publishes: ['invoice.issue', 'order.mute'],
      retired: ['old'],
      untold: [{ type: 'order.mute', why: expect.stringContaining('no JSON Schema') }],
    })
    expect(record.contracts.map(({ type, kind, key }) => ({ type, kind, key }))).toEqual([
      { type: 'invoice.issue', kind: 'command', key: null },
      { type: 'order.placed', kind: 'event', key: '{orderId}' },
      { type: 'price.quote', kind: 'request', key: null },
    ])
  })

  it('once: a start that finds the same writes nothing, a release with other contracts does', async () => {
    await using test = await testMesh()
    const first = await test.mesh.start(billing('1.0.0'))
    await eventually(async () => expect(await written(test)).toBe(1))
    await first.stop()
    const second = await test.mesh.start(billing('1.0.0'))
    await second.stop()
    await test.mesh.start(billing('2.0.0'))
    await eventually(async () => expect((await said(test, 'billing')).version).toBe('2.0.0'))
    expect(await written(test)).toBe(2)
  })

  it('and where it may not, it says so and works all the same', async () => {
    const lines: string[] = []
    const log = (fields: object, text: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`)
    const logger: Logger = { debug: () => undefined, info: log, warn: log, error: log }
    await using server = await testServer({ config: RIGHTS })
    await using owner = await connectMesh({ servers: server.url, user: 'owner', password: 'o' })
    await owner.provision(billing('1.0.0'))
    await (await jetstreamManager(owner.nats)).streams.delete('KV_MESH_CONTRACTS')

    await using mesh = await connectMesh({ servers: server.url, user: 'service', password: 's', logger })
    await mesh.start(billing('1.0.0'))
    await eventually(() =>
      expect(lines.filter((line) => line.includes('contracts')).join('\n')).toMatch(
        /could not be written down for others; all else works.*STREAM\.MSG\.GET\.KV_MESH_CONTRACTS/,
      ),
    )
    expect(lines.filter((line) => line.includes('refused'))).toEqual([])
    await mesh.publish(placed, { orderId: 'o-1' })
    expect(mesh.health()).toEqual({ ready: true, reasons: [] })
  })

  it('a job that provisions makes the bucket for services that may not', async () => {
    await using test = await testMesh()
    await test.mesh.provision(billing('1.0.0'))
    expect(await written(test)).toBe(0)
  })
})

const RIGHTS = `
authorization {
  users: [
    { user: owner, password: o }
    { user: service, password: s, permissions: { publish: { deny: ["$JS.API.STREAM.MSG.GET.KV_MESH_CONTRACTS"] } } }
  ]
}`

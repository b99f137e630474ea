import { Parser } from '@asyncapi/parser'
import { getStored } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openOperations, type Operations, type PublishedEvent, type PublishEventOptions } from '../../src/index.ts'
import { billing, shop } from './some-services.ts'

const order = { orderId: 'o-1', total: 990, currency: 'BRL' }

describe('contracts of a running mesh', () => {
  let test: TestMesh
  let operations: Operations
  beforeAll(async () => {
    test = await testMesh()
    await test.mesh.start(billing)
    await test.mesh.start(shop)
    // Somebody who has none of the services' code.
    operations = await openOperations(await test.connect({ topology: 'none' }))
    await untilSaid(operations, 2)
  })
  afterAll(async () => {
    operations[Symbol.dispose]()
    await test[Symbol.asyncDispose]()
  })

  const publish = (
    type: string,
    data: unknown,
    options: PublishEventOptions & { reason?: string } = {},
  ): Promise<PublishedEvent> => operations.contracts.publish(type, data, { who: 'ana', ...options })

  it('are known by type: version, key, who handles it, who publishes it', async () => {
    const list = await operations.contracts.list()
    expect(
      list.map(({ type, kind, version, key, handledBy, publishedBy }) => ({
        type,
        kind,
        version,
        key,
        handledBy,
        publishedBy,
      })),
    ).toEqual([
      {
        type: 'invoice.issue',
        kind: 'command',
        version: 1,
        key: null,
        handledBy: ['billing.issue'],
        publishedBy: ['billing'],
      },
      {
        type: 'order.placed',
        kind: 'event',
        version: 1,
        key: '{orderId}',
        handledBy: ['billing.bill'],
        publishedBy: ['shop'],
      },
      {
        type: 'parcel.shipped',
        kind: 'event',
        version: 1,
        key: expect.stringMatching(/^computed/),
        handledBy: ['billing.watch'],
        publishedBy: ['shop'],
      },
      { type: 'price.quote', kind: 'request', version: 1, key: null, handledBy: ['billing.quote'], publishedBy: [] },
    ])
    expect(list[1]!.schemas).toMatchObject([{ services: ['billing', 'shop'] }])
  })

  it('an event is published on its keyed subject, under the id given, and a second time stores nothing', async () => {
    const given = { id: 'by-hand-1', reason: 'ticket 7' }
    const first = await publish('order.placed', order, given)
    expect(first).toMatchObject({
      id: 'by-hand-1',
      key: 'o-1',
      version: 1,
      subject: expect.stringMatching(/order\.placed\.\d\.o-1$/),
      stream: test.mesh.names.stream('ORDERS'),
      duplicate: false,
      waitsUntil: null,
    })
    const stored = await getStored(test.nats, first.stream, { seq: first.seq! })
    expect(stored).toMatchObject({ subject: first.subject })
    expect(stored!.headers).toMatchObject({
      'ce-type': 'order.placed',
      'ce-partitionkey': 'o-1',
      'ce-dataschema': 'order.placed/1',
    })
    expect(JSON.parse(stored!.payload.toString())).toEqual(order)
    const second = await publish('order.placed', order, given)
    expect(second).toMatchObject({ seq: first.seq, duplicate: true })
    // Who did it is written down; the payload is not, which may be anything.
    const { acts } = await operations.audit.list({ target: 'by-hand-1' })
    expect(acts).toMatchObject([
      {
        action: 'event.publish',
        who: 'ana',
        reason: 'ticket 7',
        after: { type: 'order.placed', key: 'o-1' },
        outcome: 'done',
      },
      { action: 'event.publish' },
    ])
    expect(JSON.stringify(acts)).not.toMatch(/:990\b/)
  })

  it('a payload that does not fit is refused with all faults at once, no value repeated, and nothing stored', async () => {
    const before = await lastSeq()
    const wrong = { total: -3, currency: 'hunter2', at: [1, 'x'] }
    const refused = publish('order.placed', wrong)
    await expect(refused).rejects.toThrow(
      /OPERATIONS_PAYLOAD_REFUSED[^]*must have required property 'orderId'[^]*at\[1\] must be number[^]*currency must be equal to one of the allowed values: "BRL", "EUR"[^]*total must be > 0/,
    )
    await expect(refused).rejects.not.toThrow(/hunter2/)
    expect(await operations.contracts.check('order.placed', wrong)).toHaveLength(4)
    expect(await operations.contracts.check('order.placed', order)).toEqual([])
    expect(await lastSeq()).toBe(before)
  })

  it('what is refused, or only tried, is no act', async () => {
    const before = await lastSeq(test.mesh.names.stream('AUDIT'))
    await expect(publish('order.placed', {})).rejects.toThrow(/OPERATIONS_PAYLOAD_REFUSED/)
    await publish('order.placed', order, { dryRun: true })
    expect(await lastSeq(test.mesh.names.stream('AUDIT'))).toBe(before)
    expect(before).toBeGreaterThan(0)
  })

  it('a dry run says where it would go, and stores nothing', async () => {
    const before = await lastSeq()
    const would = await publish('order.placed', order, { dryRun: true })
    expect(would).toMatchObject({ key: 'o-1', seq: null })
    expect(await lastSeq()).toBe(before)
  })

  it('a key that only code computes must be given, one that the contract tells must be the same', async () => {
    const parcel = { parcel: 'P-1' }
    await expect(publish('parcel.shipped', parcel)).rejects.toThrow(/computed by code; say it/)
    expect(await publish('parcel.shipped', parcel, { key: 'p-1' })).toMatchObject({ key: 'p-1' })
    await expect(publish('order.placed', order, { key: 'o-2' })).rejects.toThrow(
      /the key of this order\.placed is "o-1" by its contract/,
    )
    await expect(publish('invoice.issue', { orderId: 'o' }, { key: 'k' })).rejects.toThrow(/has no key/)
  })

  it('a command goes by priority, and an event later if asked to', async () => {
    const urgent = await publish('invoice.issue', { orderId: 'o-1' }, { priority: 'high' })
    expect(urgent.subject).toMatch(/invoice\.issue\._high$/)
    const waiting = await publish('order.placed', order, { deliverIn: 3_600_000 })
    expect(waiting).toMatchObject({ stream: test.mesh.names.delays(), waitsUntil: expect.any(String) })
  })

  it('what is no event, or that nobody knows, is refused', async () => {
    await expect(publish('price.quote', { sku: 'a' })).rejects.toThrow(/is a request/)
    await expect(publish('order.plcaed', order)).rejects.toThrow(
      /OPERATIONS_UNKNOWN_TYPE.*they know invoice\.issue, order\.placed/,
    )
  })

  it('are described as AsyncAPI that its own parser finds without fault', async () => {
    const document = await operations.contracts.describe()
    const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document))
    expect(diagnostics.filter(({ severity }) => [0, 1].includes(severity))).toEqual([])
    expect(parsed!.version()).toBe('3.0.0')
    const operationsThere = parsed!
      .operations()
      .all()
      .map((one) => `${one.id()} ${one.action()}`)
    expect(operationsThere.sort()).toEqual([
      'billing.bill receive',
      'billing.issue receive',
      'billing.quote receive',
      'billing.sends.invoice.issue send',
      'billing.watch.parcel.shipped receive',
      'shop.sends.order.placed send',
      'shop.sends.parcel.shipped send',
    ])
    const channel = parsed!.channels().get('order.placed')!
    expect(channel.address()).toBe(`${test.namespace}.order.placed.{partition}.{key}`)
    const payload = channel.messages().get('order.placed')!.payload()!
    expect(payload.properties()!['total']!.type()).toBe('integer')
    // A schema that refers to itself still does.
    expect(payload.properties()!['tree']!.properties()!['children']!.type()).toBe('array')
  })

  it('looking changes nothing', async () => {
    const names = async (): Promise<string[]> => {
      const found: string[] = []
      for await (const name of (await jetstreamManager(test.nats)).streams.names()) found.push(name)
      // The services that run make this one by themselves.
      return found.filter((name) => name !== test.mesh.names.stream('ADVISORIES')).sort()
    }
    const before = [await names(), await lastSeq('KV_' + test.mesh.names.bucket('MESH_CONTRACTS'))]
    await operations.contracts.list()
    await operations.contracts.describe()
    expect([await names(), await lastSeq('KV_' + test.mesh.names.bucket('MESH_CONTRACTS'))]).toEqual(before)
  })

  async function lastSeq(stream: string = test.mesh.names.stream('ORDERS')): Promise<number> {
    return (await (await jetstreamManager(test.nats)).streams.info(stream)).state.last_seq
  }
})

it('a mesh whose services said nothing is told so', async () => {
  await using test = await testMesh()
  using operations = await openOperations(test.mesh)
  await expect(operations.contracts.list()).rejects.toThrow(/OPERATIONS_NO_CONTRACTS/)
})

async function untilSaid({ contracts }: Operations, services: number): Promise<void> {
  await eventually(async () => expect(await contracts.services()).toHaveLength(services))
}

import { defineService, on, Reject, retry } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { describe, expect, it } from 'vitest'
import { type Hop, openOperations } from '../../src/index.ts'
import { billed, bills, orders, placed, shopWith } from '../why/shop.ts'

/** Bills an order at the second attempt, and cannot send the bill. */
const shop = () => {
  let isDown = true
  return defineService('shop', {
    handlers: {
      bill: on(placed, { startFrom: 'all', retry: retry({ minDelayMs: 10, maxDelayMs: 10 }) }, ({ orderId }, ctx) => {
        if (isDown && orderId === 'o-1') {
          isDown = false
          throw new Error('no ink')
        }
        ctx.publish(billed, { orderId })
      }),
      send: on(billed, { startFrom: 'all' }, () => Promise.reject(new Reject('no such street'))),
    },
    publishes: [billed],
  })
}

/** What of a tree a test is about. */
const shape = (hops: readonly Hop[]): unknown =>
  hops.map(({ event, publishedBy, handlers, caused }) => ({
    event: `${event.type} ${event.key}`,
    ...(publishedBy && { publishedBy }),
    handlers: handlers.map((each) =>
      `${each.handler} ${each.situation} ${each.attempts.map(({ code }) => code).join(' ')}`.trim(),
    ),
    caused: shape(caused),
  }))

const TREE = [
  {
    event: 'order.placed o-1',
    handlers: ['bill done Error'],
    caused: [
      { event: 'bill.made b-o-1', publishedBy: 'bill', handlers: ['send dead-letter MESH_REJECTED'], caused: [] },
    ],
  },
]

describe('a journey', () => {
  it('is the tree of what a message led to, by its key, its id, that of what it caused, and its trace', async () => {
    await using test = await testMesh()
    const { mesh } = test
    using operations = await openOperations(await test.connect({ topology: 'none' }))
    const running = await mesh.start(shop())
    const { id } = (await mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
    await mesh.publish(placed, { orderId: 'o-2' })
    await eventually(async () => expect(shape((await operations.journey('o-1')).roots)).toEqual(TREE))

    const journey = await operations.journey('o-1')
    expect(journey).toMatchObject({ as: 'key', events: 2, missing: [], traces: [] })
    expect(journey.roots[0]!.event).toMatchObject({ id, stream: mesh.names.stream(orders), seq: 1, foundIn: 'stream' })
    const [output] = journey.roots[0]!.caused
    expect(output!.event).toMatchObject({ stream: mesh.names.stream(bills), service: 'shop', correlationId: id })

    for (const [asked, as] of [
      [id, 'id'],
      [output!.event.id!, 'id'],
      ['b-o-1', 'key'],
    ] as const) {
      const other = await operations.journey(asked)
      expect(other).toMatchObject({ as, events: 2, missing: [] })
      expect(shape(other.roots)).toEqual(TREE)
    }
    expect(await operations.journey('o-9')).toMatchObject({ as: undefined, events: 0, roots: [] })
    await running.stop()
  })

  it('is found by its correlation id and its trace', async () => {
    await using test = await testMesh()
    const { mesh } = test
    using operations = await openOperations(mesh)
    await mesh.provision(shop())
    await mesh.publish(placed, { orderId: 'o-1' }, { correlationId: 'visit 7' })
    await mesh.publish(billed, { orderId: 'o-1' }, { correlationId: 'visit 7' })
    expect(await operations.journey('visit 7')).toMatchObject({ as: 'correlation', events: 2 })

    // Of another client, with a trace.
    const traced = headers()
    const trace = '0af7651916cd43dd8448eb211c80319c'
    traced.set('ce-id', 'e-1')
    traced.set('traceparent', `00-${trace}-b7ad6b7169203331-01`)
    await jetstream(test.nats).publish(mesh.names.subject('order.seen'), '{}', { headers: traced })
    const found = await operations.journey(trace.toUpperCase())
    expect(found).toMatchObject({
      as: 'trace',
      events: 1,
      roots: [{ event: { id: 'e-1', type: undefined, traceId: trace } }],
    })
  })

  it('names the new messages that a replay made of an event; of one of these it is the tree of what that led to, and names the event', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await mesh.provision(defineService('biller', { handlers: {}, publishes: [billed] }))
    const running = await mesh.start(shopWith(({ orderId }, ctx) => ctx.publish(billed, { orderId })))
    const { id } = (await mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
    using operations = await openOperations(mesh)
    await eventually(async () => expect((await operations.journey('o-1')).roots[0]?.caused).toHaveLength(1))
    const { id: run } = await operations.runs.replay({ service: 'shop', handler: 'bill', asNew: true, who: 'ana' })
    expect(await operations.runs.work(run, { who: 'ana' })).toMatchObject({ counts: { ok: 1 } })

    const old = await operations.journey('o-1')
    expect(old.roots).toMatchObject([
      { event: { id }, caused: [{ event: { type: 'bill.made', causationId: id }, copy: undefined }], copy: undefined },
      { event: { type: 'bill.made' }, publishedBy: 'bill', copy: { of: id, run, service: 'shop', handler: 'bill' } },
    ])
    const [{ copyId }] = old.roots[0]!.handlers[0]!.runs as unknown as [{ copyId: string }]
    expect(copyId).toBe(old.roots[1]!.event.causationId)
    expect(copyId).not.toBe(id)

    const copy = await operations.journey(copyId)
    expect(copy).toMatchObject({ as: 'copy', events: 1 })
    expect(copy.roots).toEqual([old.roots[1]])
    expect(copy.roots[0]!.copy).toMatchObject({ id: copyId, of: id, run })
    await running.stop()
  })

  it('has each run that sent a message again, with what came of it', async () => {
    await using test = await testMesh()
    const { mesh } = test
    using operations = await openOperations(await test.connect({ topology: 'none' }))
    await mesh.provision(defineService('biller', { handlers: {}, publishes: [billed] }))
    let isMended = false
    const running = await mesh.start(
      shopWith((_, ctx) => {
        if (!isMended) throw new Reject('no ink')
        ctx.publish(billed, { orderId: 'o-1' })
      }),
    )
    await mesh.publish(placed, { orderId: 'o-1' })
    const runs = async () => (await operations.journey('o-1')).roots[0]?.handlers[0]?.runs
    await eventually(async () => expect(await operations.why('o-1')).toMatchObject({ situation: 'dead-letter' }))
    expect(await runs()).toEqual([])

    using acting = await openOperations(mesh)
    const again = async (kind: 'redrive' | 'replay'): Promise<string> => {
      const of = { service: 'shop', handler: 'bill', who: 'ana' }
      const { id } =
        kind === 'redrive' ? await acting.runs.redrive({ filter: {}, who: 'ana' }) : await acting.runs.replay(of)
      await acting.runs.work(id, { who: 'ana' })
      return id
    }
    const [first] = [await again('redrive')]
    isMended = true
    const [second, third] = [await again('redrive'), await again('replay')]
    const time = expect.stringMatching(/^\d{4}-.*Z$/)
    const ended = { at: time, endedAt: time, attempts: 1 }
    expect(await runs()).toEqual([
      expect.objectContaining({ ...ended, kind: 'redrive', run: first, result: 'failed', code: 'MESH_REJECTED' }),
      expect.objectContaining({ ...ended, kind: 'redrive', run: second, result: 'ok', code: undefined }),
      expect.objectContaining({ ...ended, kind: 'replay', run: third, result: 'ok' }),
    ])
    // What it published at last stands below it.
    expect((await operations.journey('o-1')).roots).toMatchObject([{ caused: [{ event: { key: 'b-o-1' } }] }])
    expect((await operations.why('o-1')).situation).toBe('done')
    await running.stop()
  })

  it('says what it did not look at where a stream is longer than it may look', async () => {
    await using test = await testMesh()
    const { mesh } = test
    using operations = await openOperations(mesh)
    await mesh.provision(shop())
    const { id } = (await mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
    await Promise.all(Array.from({ length: 2500 }, (_, n) => mesh.publish(placed, { orderId: `o-${n + 2}` })))
    const looked: number[] = []
    const short = await operations.journey(id, { scan: 1500, onScan: (some) => looked.push(some) })
    expect(short).toMatchObject({
      as: undefined,
      missing: [expect.stringMatching(/^older events: the newest 1500 of 2501 were looked at one by one/)],
    })
    expect(looked).toEqual([1000, 1500])
    expect(await operations.journey(id)).toMatchObject({ as: 'id', events: 1, missing: [] })
    // A key is found at once, and what it led to is looked for from there on.
    expect(await operations.journey('o-2501', { scan: 1000 })).toMatchObject({ as: 'key', events: 1, missing: [] })
    expect(await operations.journey('o-1', { scan: 1500 })).toMatchObject({
      as: 'key',
      missing: [expect.stringMatching(/^what came later: 1500 of 2501 events behind it were looked at one by one/)],
    })
  })
})

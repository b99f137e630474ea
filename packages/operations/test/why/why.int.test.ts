import { defineService, on, Reject, retry } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { type Answer, openOperations, type Operations } from '../../src/index.ts'
import { billed, bills, orderedShop, placed, shopWith } from './shop.ts'

type Asked = { test: TestMesh; operations: Operations } & AsyncDisposable

/** A mesh, and an onlooker's view of it. */
async function asked(): Promise<Asked> {
  const stack = new AsyncDisposableStack()
  const test = stack.use(await testMesh())
  const operations = stack.use(await openOperations(await test.connect({ topology: 'none' })))
  return { test, operations, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const until = async (operations: Operations, what: string, wanted: Partial<Answer>): Promise<Answer> => {
  let answer: Answer | undefined
  await eventually(async () => {
    answer = await operations.why(what)
    expect(answer).toMatchObject(wanted)
  })
  return answer!
}

const slowly = retry({ minDelayMs: 600_000, maxDelayMs: 600_000 })

describe('why says of a message', () => {
  it('that it is done, by whom and after how many attempts', async () => {
    await using both = await asked()
    const { test, operations } = both
    let isDown = true
    const service = defineService('shop', {
      handlers: {
        bill: on(placed, { startFrom: 'all', retry: retry({ minDelayMs: 10, maxDelayMs: 10 }) }, () => {
          if (isDown) {
            isDown = false
            throw new Error('no ink')
          }
        }),
        count: on(placed, { startFrom: 'all', inbox: { keepMs: 600_000 } }, () => undefined),
      },
    })
    const running = await test.mesh.start(service)
    const { id } = (await test.mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
    const answer = await until(operations, 'o-1', { situation: 'done', as: 'key', next: undefined, missing: [] })
    expect(answer.sentence).toBe('order.placed o-1 is done by shop/bill and shop/count')
    const [{ handlers }] = answer.events as unknown as [{ handlers: { sentence: string }[] }]
    expect(handlers[0]!.sentence).toBe('order.placed o-1 is done by shop/bill, after 1 failed attempt')
    expect(handlers[1]!.sentence).toMatch(/is done by shop\/count at \d{4}-/)
    expect(await operations.why(id)).toMatchObject({ as: 'id', situation: 'done' })
    await running.stop()
  })

  it('that the server gave it up, until it is brought back', async () => {
    await using both = await asked()
    const { test, operations } = both
    const { names } = test.mesh
    const jsm = await jetstreamManager(test.nats)
    const first = await test.mesh.start(shopWith(() => undefined))
    await eventually(() => jsm.consumers.info(names.stream('ADVISORIES'), names.durable('malha', 'advisories')))
    await first.stop()
    await test.mesh.publish(placed, { orderId: 'o-1' })
    const [stream, durable] = [names.stream('ORDERS'), names.durable('shop', 'bill', 'keyed')]
    await jsm.consumers.update(stream, durable, { max_deliver: 1 })
    const taken = await jetstream(test.nats).consumers.get(stream, durable)
    for await (const message of await taken.fetch({ max_messages: 1, expires: 2000 })) message.nak()
    for await (const _ of await taken.fetch({ max_messages: 1, expires: 1000 }));
    const { sentence } = await until(operations, 'o-1', { situation: 'given-up', missing: [] })
    expect(sentence).toMatch(/^order\.placed o-1 was given up by the server for shop\/bill at \d{4}-.*max_deliver/)
    const again = await test.mesh.start(shopWith(() => undefined))
    await until(operations, 'o-1', { situation: 'done', missing: [] })
    await again.stop()
  })

  it('that nobody takes it, or that nothing is known of it', async () => {
    await using both = await asked()
    const { test, operations } = both
    const running = await test.mesh.start(shopWith(() => undefined))
    await test.mesh.provision(defineService('biller', { handlers: {}, publishes: [billed] }))
    await test.mesh.publish(billed, { orderId: 'o-1' })
    expect(await operations.why('b-o-1')).toMatchObject({
      situation: 'no-handler',
      sentence: `no handler of this mesh takes bill.made b-o-1; it stands in ${test.mesh.names.stream(bills)} at sequence 1`,
    })
    expect(await operations.why('o-9')).toMatchObject({ situation: 'unknown', as: undefined, events: [] })
    await running.stop()
  })

  it('which dead letter it is, and once somebody discarded that, who and why', async () => {
    await using both = await asked()
    const { test, operations } = both
    const running = await test.mesh.start(shopWith(() => Promise.reject(new Reject('no such city'))))
    await test.mesh.publish(placed, { orderId: 'o-1' })
    expect(await until(operations, 'o-1', { situation: 'dead-letter' })).toMatchObject({
      sentence: 'order.placed o-1 is dead letter 1 of shop/bill (open): MESH_REJECTED: no such city',
      next: 'malha dlq show 1',
    })
    using acting = await openOperations(test.mesh)
    await acting.letters.refresh()
    await acting.letters.discard(1, { who: 'ana', reason: 'a test order' })
    expect((await operations.why('o-1')).sentence).toMatch(
      /^order\.placed o-1 was discarded for shop\/bill by ana at .*: a test order$/,
    )
    await running.stop()
  })

  it('that a run sent it again, and that it is done since', async () => {
    await using both = await asked()
    const { test, operations } = both
    let isMended = false
    const mended = Promise.withResolvers<void>()
    const running = await test.mesh.start(
      shopWith(() => (isMended ? mended.promise : Promise.reject(new Reject('no such city')))),
    )
    await test.mesh.publish(placed, { orderId: 'o-1' })
    await until(operations, 'o-1', { situation: 'dead-letter' })
    isMended = true
    using acting = await openOperations(test.mesh)
    const { id } = await acting.runs.redrive({ filter: {}, who: 'ana' })
    const working = acting.runs.work(id, { who: 'ana' })
    expect(await until(operations, 'o-1', { situation: 'redriving' })).toMatchObject({
      sentence: expect.stringMatching(new RegExp(`^order\\.placed o-1, in run ${id}, is with shop/bill since \\d{4}-`)),
      next: `malha runs show ${id}`,
    })
    mended.resolve()
    await working
    expect((await operations.why('o-1')).sentence).toMatch(
      new RegExp(`^order\\.placed o-1 is done by shop/bill at .*, sent again by run ${id}$`),
    )
    await running.stop()
  })

  it('that it is in a run, and what it waits for there: its turn, its handler, its next attempt', async () => {
    await using both = await asked()
    const { test, operations } = both
    let outcome: 'given up' | 'away' | 'done' = 'given up'
    const shop = shopWith(
      () => {
        if (outcome === 'given up') throw new Reject('no such city')
        if (outcome === 'away') throw new Error('no ink')
      },
      { retry: slowly },
    )
    const first = await test.mesh.start(shop)
    await test.mesh.publish(placed, { orderId: 'o-1' })
    await until(operations, 'o-1', { situation: 'dead-letter' })
    await first.stop()
    using acting = await openOperations(test.mesh)
    const redrive = await acting.runs.redrive({ filter: {}, who: 'ana' })
    const working = acting.runs.work(redrive.id, { who: 'ana' })
    expect((await until(operations, 'o-1', { situation: 'no-instance' })).sentence).toBe(
      `order.placed o-1, in run ${redrive.id}, waits: no instance of shop pulls for shop/bill (attempt 1 failed: MESH_REJECTED: no such city)`,
    )
    outcome = 'away'
    const second = await test.mesh.start(shop)
    expect((await until(operations, 'o-1', { situation: 'redriving' })).sentence).toMatch(/, in run /)
    await eventually(async () =>
      expect((await operations.why('o-1')).sentence).toMatch(
        new RegExp(
          `^order\\.placed o-1, in run ${redrive.id}, waits for attempt 2 of shop/bill at .* \\(attempt 1 failed: Error: no ink\\)$`,
        ),
      ),
    )
    await acting.runs.cancel(redrive.id, { who: 'ana' })
    await working
    await second.stop()
  })

  it('by whom and when it is tried again, on the lane as in the process', async () => {
    await using both = await asked()
    const { test, operations } = both
    const running = await test.mesh.start(shopWith(() => Promise.reject(new Error('no ink')), { retry: slowly }))
    await test.mesh.publish(placed, { orderId: 'o-1' })
    const waiting = await until(operations, 'o-1', { situation: 'retry' })
    expect(waiting.sentence).toMatch(
      /^order\.placed o-1 waits for attempt 2 of shop\/bill at \d{4}-.*Z \(attempt 1 failed: Error: no ink\)$/,
    )
    // Once it is on the lane its durable is past it, and it is not taken for done.
    const jsm = await jetstreamManager(test.mesh.nats)
    const { names } = test.mesh
    await eventually(async () => {
      const { ack_floor: floor } = await jsm.consumers.info(
        names.stream('ORDERS'),
        names.durable('shop', 'bill', 'keyed'),
      )
      expect(floor.stream_seq).toBe(1)
    })
    expect(await operations.why('o-1')).toMatchObject({ situation: 'retry' })
    await running.stop()
  })

  it('that no instance of its service pulls', async () => {
    await using both = await asked()
    const { test, operations } = both
    await (await test.mesh.start(shopWith(() => undefined))).stop()
    await test.mesh.publish(placed, { orderId: 'o-1' })
    expect(await until(operations, 'o-1', { situation: 'no-instance' })).toMatchObject({
      sentence: 'order.placed o-1 waits: no instance of shop pulls for shop/bill',
    })
  })

  it('that it is in hand, and what is delivered before it', async () => {
    await using both = await asked()
    const { test, operations } = both
    const over = Promise.withResolvers<void>()
    const running = await test.mesh.start(shopWith(() => over.promise, { concurrency: 1 }))
    for (let n = 1; n <= 5; n++) await test.mesh.publish(placed, { orderId: `o-${n}` })
    await until(operations, 'o-1', { situation: 'in-hand' })
    expect((await until(operations, 'o-5', { situation: 'waiting' })).sentence).toMatch(
      /^order\.placed o-5 was not delivered to shop\/bill yet: \d before it in .*ORDERS at most$/,
    )
    over.resolve()
    await running.stop()
  })

  it('behind which sequence of its key it waits, and what of that one', async () => {
    await using both = await asked()
    const { test, operations } = both
    const running = await test.mesh.start(
      orderedShop(({ orderId }) => (orderId === 'o-1' ? Promise.reject(new Error('no ink')) : undefined), {
        retry: slowly,
      }),
    )
    const { id } = (await test.mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
    await test.mesh.publish(placed, { orderId: 'o-1' })
    await test.mesh.publish(placed, { orderId: 'o-2' })
    const behind = await until(operations, 'o-1', { situation: 'behind-key' })
    expect(behind.sentence).toMatch(
      /^order\.placed o-1 waits behind sequence 1 of its key in shop\/bill, which waits for attempt 2 at \d{4}-.*Z$/,
    )
    expect(behind.next).toBe(`malha why ${id}`)
    expect(await operations.why(id)).toMatchObject({ situation: 'retry' })
    await until(operations, 'o-2', { situation: 'done' })
    await running.stop()
    expect(await until(operations, 'o-1', { situation: 'no-instance' })).toMatchObject({ as: 'key' })
  })

  it('who paused its handler, until when and why', async () => {
    await using both = await asked()
    const { test, operations } = both
    const running = await test.mesh.start(shopWith(() => undefined))
    using acting = await openOperations(test.mesh)
    const end = new Date(Date.now() + 3_600_000)
    const place = { service: 'shop', handler: 'bill', who: 'ana' }
    await acting.handlers.pause({ ...place, until: end, reason: 'the printer moves' })
    await eventually(async () => {
      const [listed] = await acting.handlers.list()
      expect(listed!.instances).toMatchObject([{ paused: { who: 'ana' } }])
    })
    await test.mesh.publish(placed, { orderId: 'o-1' })
    expect(await operations.why('o-1')).toMatchObject({
      situation: 'paused',
      sentence: `order.placed o-1 waits: shop/bill is paused by ana until ${end.toISOString()} (the printer moves)`,
      next: 'malha handlers resume shop/bill',
    })
    await acting.handlers.resume(place)
    await until(operations, 'o-1', { situation: 'done' })
    await running.stop()
  })

  it('since when the breaker of its handler is open, and when it tries again', async () => {
    await using both = await asked()
    const { test, operations } = both
    const refused = (): Promise<void> =>
      Promise.reject(Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }))
    const running = await test.mesh.start(shopWith(refused, { retry: slowly }))
    for (let n = 1; n <= 30; n++) await test.mesh.publish(placed, { orderId: `o-${n}` })
    const { sentence } = await until(operations, 'o-1', { situation: 'breaker-open' })
    expect(sentence).toMatch(
      /^order\.placed o-1 waits: the breaker of shop\/bill is open since \d{4}-\S+( and tries one message at \d{4}-\S+)? \(attempt 1 failed: ECONNREFUSED: connect ECONNREFUSED 127\.0\.0\.1:1\)$/,
    )
    await running.stop()
  })

  it('that it comes later, where it is published for later', async () => {
    await using both = await asked()
    const { test, operations } = both
    const running = await test.mesh.start(shopWith(() => undefined))
    const due = new Date(Date.now() + 3_600_000)
    const { id } = await test.mesh.publish(placed, { orderId: 'o-1' }, { deliverAt: due })
    expect(await operations.why(id)).toMatchObject({
      situation: 'delayed',
      sentence: `order.placed ${id} is published for later: it comes at ${due.toISOString()}`,
    })
    await running.stop()
  })
})

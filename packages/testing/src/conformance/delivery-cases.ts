import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, type HandlerContext, on, topic } from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { promise, type Case } from './case.ts'
import {
  billed,
  briefly,
  cloudEvent,
  consumer,
  eachOnce,
  idsTo,
  kept,
  order,
  Order,
  orders,
  placed,
  publishOrders,
  publishRaw,
  recorder,
  refused,
  settled,
} from './kit.ts'

const sharedWork: Case = promise('instances of one service share the work, each message once', async (env) => {
  const [one, two] = [recorder(), recorder()]
  const [first, second] = [await env.mesh(), await env.mesh()]
  const bothAtWork = Promise.withResolvers<void>()
  const billing = (seen: typeof one) =>
    defineService('billing', {
      handlers: {
        bill: on(placed, { startFrom: 'all', concurrency: 4 }, async (data, ctx) => {
          seen.note(data, ctx)
          if (one.calls.length > 0 && two.calls.length > 0) bothAtWork.resolve()
          // However fast one is, it holds what it has taken until the other has some too.
          await bothAtWork.promise
        }),
      },
    })
  await first.start(billing(one))
  await second.start(billing(two))
  await publishOrders(first, 0, 200)
  await eventually(() => assert.equal(one.calls.length + two.calls.length, 200))
  await settled(env, 'ORDERS', 'billing_bill')
  eachOnce([...one.ids(), ...two.ids()], idsTo(200))
  assert.equal(one.calls.length > 0 && two.calls.length > 0, true, 'both take part')
})

const everyService: Case = promise('each of two services gets every event', async (env) => {
  const mesh = await env.mesh()
  const [billing, stock] = [recorder(), recorder()]
  for (const [name, seen] of [
    ['billing', billing],
    ['stock', stock],
  ] as const)
    await mesh.start(
      defineService(name, { handlers: { take: on(placed, { startFrom: 'all' }, (d, c) => void seen.note(d, c)) } }),
    )
  await publishOrders(mesh, 0, 50)
  await eventually(() => assert.deepEqual([billing.calls.length, stock.calls.length], [50, 50]))
  eachOnce(billing.ids(), idsTo(50))
  eachOnce(stock.ids(), idsTo(50))
})

const wildcards: Case = promise(
  'a topic gets the types its pattern names, keyed or not, and no others',
  async (env) => {
    const lineAdded = event('order.line.added', { stream: orders, schema: Order })
    const noted = event('order.noted', { stream: orders, schema: Order })
    const [star, tail] = [recorder(), recorder()]
    const mesh = await env.mesh()
    const audit = defineService('audit', {
      handlers: {
        star: on(topic(orders, 'order.*'), { startFrom: 'all' }, (d, c) => void star.note(d, c)),
        tail: on(topic(orders, 'order.>'), { startFrom: 'all' }, (d, c) => void tail.note(d, c)),
      },
      publishes: [placed, noted, lineAdded],
    })
    await mesh.start(audit)
    await mesh.publish(placed, order(1), { id: 'keyed' })
    await mesh.publish(noted, order(2), { id: 'plain' })
    await mesh.publish(lineAdded, order(3), { id: 'deeper' })
    await eventually(() => eachOnce(tail.ids(), ['keyed', 'plain', 'deeper']))
    await settled(env, 'ORDERS', 'audit_star')
    eachOnce(star.ids(), ['keyed', 'plain'])
    assert.deepEqual(
      star.calls.find(({ id }) => id === 'keyed'),
      { ...star.calls.find(({ id }) => id === 'keyed'), type: 'order.placed', data: order(1) },
    )
  },
)

const namespaces: Case = promise('namespaces on one server do not see each other', async (env) => {
  const other = `${env.namespace}-b`
  const [here, there] = [recorder(), recorder()]
  const [first, second] = [await env.mesh(), await env.mesh({ namespace: other })]
  const billing = (seen: typeof here) =>
    defineService('billing', { handlers: { bill: on(placed, { startFrom: 'all' }, (d, c) => void seen.note(d, c)) } })
  await first.start(billing(here))
  await second.start(billing(there))
  await publishOrders(first, 0, 20, 'here')
  await publishOrders(second, 0, 5, 'there')
  await eventually(() => assert.deepEqual([here.calls.length, there.calls.length], [20, 5]))
  eachOnce(here.ids(), idsTo(20, 'here'))
  eachOnce(there.ids(), idsTo(5, 'there'))
  assert.equal((await kept(env, 'ORDERS', other)).length, 5)
})

const startFrom: Case = promise('a new handler starts where startFrom says: all, new, or a date', async (env) => {
  const mesh = await env.mesh()
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [placed] }))
  await publishOrders(mesh, 0, 3)
  // The server's clock stands between the two halves; a date is compared to the time of storing.
  await sleep(50)
  const between = new Date()
  await sleep(50)
  await publishOrders(mesh, 3, 5)
  const seen = { all: recorder(), fresh: recorder(), date: recorder() }
  await mesh.start(
    defineService('billing', {
      handlers: {
        all: on(placed, { startFrom: 'all' }, (d, c) => void seen.all.note(d, c)),
        fresh: on(placed, { startFrom: 'new' }, (d, c) => void seen.fresh.note(d, c)),
        date: on(placed, { startFrom: between }, (d, c) => void seen.date.note(d, c)),
      },
    }),
  )
  await publishOrders(mesh, 5, 6)
  await eventually(() =>
    assert.deepEqual(
      Object.values(seen).map((one) => one.calls.length),
      [6, 1, 3],
    ),
  )
  eachOnce(seen.fresh.ids(), ['p5'])
  eachOnce(seen.date.ids(), ['p3', 'p4', 'p5'])
})

const startFromMissing: Case = promise('a new handler on a stream with history must say startFrom', async (env) => {
  const mesh = await env.mesh()
  const unsaid = defineService('billing', { handlers: { bill: on(placed, () => undefined) } })
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [placed] }))
  await publishOrders(mesh, 0, 1)
  const error = await refused(mesh.start(unsaid), 'MESH_TOPOLOGY')
  assert.match(error.message, /startFrom/)
})

const slowHandler: Case = promise('a handler slower than ackWaitMs runs once', async (env) => {
  const seen = recorder()
  const billing = defineService('billing', {
    handlers: {
      bill: on(placed, { startFrom: 'all', ackWaitMs: 2_000, concurrency: 2 }, async (data, ctx) => {
        seen.note(data, ctx)
        await sleep(4_500)
      }),
    },
  })
  const mesh = await env.mesh()
  await mesh.start(billing)
  // Two run, two wait their turn behind them, all for longer than the server's patience.
  await publishOrders(mesh, 0, 4)
  await eventually(() => assert.equal(seen.calls.length, 2))
  // Another instance would be given what the server gave up on.
  await (await env.mesh()).start(billing)
  await eventually(() => assert.equal(seen.calls.length >= 4, true))
  const info = await settled(env, 'ORDERS', 'billing_bill')
  eachOnce(seen.ids(), idsTo(4))
  assert.equal(info.delivered.consumer_seq, 4, 'four messages were delivered four times in all')
})

const drain: Case = promise(
  'stopping finishes what runs and hands back what was not started, as no attempt',
  async (env) => {
    const [leaving, staying] = [recorder(), recorder()]
    const gate = Promise.withResolvers<void>()
    const first = await env.mesh()
    const running = await first.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', concurrency: 2 }, async (data, ctx) => {
            leaving.note(data, ctx)
            await gate.promise
            ctx.publish(billed, data)
          }),
        },
      }),
    )
    await publishOrders(first, 0, 10)
    await eventually(async () =>
      assert.equal((await consumer(env, 'ORDERS', 'billing_bill')).num_ack_pending > 2, true),
    )
    // The server counts as delivered what is still on its way.
    await eventually(() => assert.equal(leaving.calls.length, 2))
    const stopped = running.stop()
    gate.resolve()
    await stopped
    const second = await env.mesh()
    await second.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all' }, (data, ctx) => {
            staying.note(data, ctx)
            ctx.publish(billed, data)
          }),
        },
      }),
    )
    // Well within ackWaitMs (30 s): what was not started came back because it was handed back.
    await eventually(() => assert.equal(leaving.calls.length + staying.calls.length, 10), { timeoutMs: 20_000 })
    await settled(env, 'ORDERS', 'billing_bill')
    eachOnce([...leaving.ids(), ...staying.ids()], idsTo(10))
    assert.equal(leaving.calls.length, 2)
    assert.deepEqual(new Set(staying.calls.map(({ attempt }) => attempt)), new Set([1]))
    assert.equal((await kept(env, 'ORDERS')).filter(({ headers }) => headers['ce-type'] === billed.type).length, 10)
  },
)

const startAgain: Case = promise('a service that was stopped can be started again on the same mesh', async (env) => {
  const seen = recorder()
  const mesh = await env.mesh()
  const billing = defineService('billing', {
    handlers: { bill: on(placed, { startFrom: 'all' }, (d, c) => void seen.note(d, c)) },
  })
  await (await mesh.start(billing)).stop()
  await mesh.start(billing)
  await publishOrders(mesh, 0, 1)
  await eventually(() => assert.deepEqual(seen.ids(), ['p0']))
  assert.deepEqual(mesh.health(), { ready: true, reasons: [] })
  await refused(mesh.start(billing), 'MESH_INVALID_SERVICE')
})

const plainClient: Case = promise(
  'a client that imports nothing of the mesh takes part by the wire alone',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    const contexts: HandlerContext[] = []
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', retry: briefly }, (data, ctx) => {
            seen.note(data, ctx)
            contexts.push(ctx)
            ctx.publish(billed, data)
          }),
        },
      }),
    )
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const names = { ...cloudEvent('plain%201', placed.type), 'ce-partitionkey': 'o%2F1', 'X-Note': 'hi', traceparent }
    await publishRaw(env, 'order.placed.3.=by8x', JSON.stringify({ orderId: 'o/1', n: 1 }), names)
    await eventually(() => assert.equal(seen.calls.length, 1))
    assert.deepEqual(
      { ...seen.calls[0], at: 0 },
      {
        id: 'plain 1',
        type: placed.type,
        attempt: 1,
        key: 'o/1',
        data: { orderId: 'o/1', n: 1 },
        at: 0,
      },
    )
    assert.equal(contexts[0]?.headers['x-note'], 'hi')
    const output = await eventually(async () => {
      const found = (await kept(env, 'ORDERS')).find(({ headers }) => headers['ce-type'] === billed.type)
      assert.ok(found)
      return found
    })
    assert.equal(output.headers['ce-causationid'], 'plain%201')
    assert.equal(output.headers['ce-correlationid'], 'plain%201')
    assert.equal(output.headers['ce-partitionkey'], 'o/1')
    assert.equal(output.headers['traceparent']?.split('-')[1], '0af7651916cd43dd8448eb211c80319c')
  },
)

export const deliveryCases: readonly Case[] = [
  sharedWork,
  everyService,
  wildcards,
  namespaces,
  startFrom,
  startFromMissing,
  slowHandler,
  drain,
  startAgain,
  plainClient,
]

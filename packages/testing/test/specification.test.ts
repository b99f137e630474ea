/* oxlint-disable vitest/expect-expect -- a specification asserts in its .then(…) */
import { command, defineService, event, on, Reject, stream, topic } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { specification } from '../src/specification.ts'
import { testClock } from '../src/test-clock.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ orderId: z.string(), cents: z.coerce.number().int() }),
  key: (order) => order.orderId,
  version: 2,
  upcast: (data) => ({ ...(data as object), cents: 100 }),
})
const billed = event('order.billed', {
  stream: orders,
  schema: z.object({ orderId: z.string(), total: z.number() }),
  key: (bill) => bill.orderId,
})
const counted = event('order.counted', { stream: orders, schema: z.object({ n: z.number() }) })

const checked = event('order.checked', {
  stream: orders,
  schema: z.object({ n: z.number().refine(async (n) => Promise.resolve(n < 100)) }),
})

const billing = defineService('billing', {
  handlers: {
    bill: on(placed, (order, ctx) => {
      if (order.cents < 0) throw new Reject('a bill is never negative')
      ctx.publish(billed, { orderId: order.orderId, total: order.cents / 100 }, { once: true })
      if (ctx.attempt > 1) ctx.publish(counted, { n: ctx.attempt })
    }),
    context: on(placed, (order, ctx) => {
      ctx.publish(billed, {
        orderId: `${ctx.id}/${ctx.key}/${ctx.headers['x-note']}/${ctx.version}`,
        total: order.cents,
      })
    }),
    later: on(placed, (order, ctx) => ctx.publish(checked, { n: order.cents })),
    careless: on(placed, (order, ctx) => {
      ctx.publish(counted, { n: 'many' as unknown as number })
    }),
    torn: on(placed, (order, ctx) => {
      ctx.publish(counted, { n: 1 })
      throw new Error('then it broke')
    }),
    unkeyed: on(placed, (order, ctx) => ctx.publish(counted, { n: 1 }, { once: true })),
    slow: on(placed, { timeoutMs: 500 }, (order, ctx) => {
      return new Promise((resolve, reject) => {
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error))
      })
    }),
    audit: on(topic(orders, 'order.*'), (data, ctx) => ctx.publish(counted, { n: ctx.type.length })),
  },
})
const { bill, context, careless, later, torn, unkeyed, slow, audit } = billing.handlers

test('a handler that does as specified passes, data taken through the schema', async () => {
  await specification(bill)
    .when({ orderId: 'o1', cents: '250' })
    .then({ published: [[billed, { orderId: 'o1', total: 2.5 }, { once: true }]] })
})

test('the context is what was given, and what was not given is derived', async () => {
  await specification(context)
    .given({ id: 'm7', headers: { 'X-Note': 'hi' } })
    .when({ orderId: 'o1', cents: 1 })
    .then({ published: [[billed, { orderId: 'm7/o1/hi/2', total: 1 }]] })
})

test('given adds up, and the attempt reaches the handler', async () => {
  await specification(bill)
    .given({ attempt: 3 })
    .given({ key: 'k' })
    .when({ orderId: 'o1', cents: 100 })
    .then({
      published: [
        [billed, { orderId: 'o1', total: 1 }, { once: true }],
        [counted, { n: 3 }],
      ],
    })
})

test('an older version is brought up before the schema sees it', async () => {
  await specification(bill)
    .given({ version: 1 })
    .when({ orderId: 'o1' })
    .then({ published: [[billed, { orderId: 'o1', total: 1 }, { once: true }]] })
})

test('a newer version and data that does not fit never reach the handler', async () => {
  await specification(bill)
    .given({ version: 3 })
    .when({ orderId: 'o1', cents: 1 })
    .then({ error: 'MESH_NEWER_VERSION' })
  await specification(bill)
    .when({ orderId: 7, cents: 1 })
    .then({ error: /^MESH_SCHEMA_MISMATCH: order\.placed .*\n {2}- orderId: / })
})

test('an expected error is told by code, by words, by pattern or by class', async () => {
  const refused = { orderId: 'o1', cents: -1 }
  await specification(bill).when(refused).then({ error: 'MESH_REJECTED' })
  await specification(bill).when(refused).then({ error: 'never negative' })
  await specification(bill)
    .when(refused)
    .then({ error: /negative$/ })
  await specification(bill).when(refused).then({ error: Reject })
})

test('when an output is to come is part of what is expected', async () => {
  const delaying = on(placed, (order, ctx) =>
    ctx.publish(counted, { n: order.cents }, { deliverIn: 1000, delayKey: order.orderId }),
  )
  const expected = async (deliverIn: number): Promise<void> =>
    await specification(delaying)
      .when({ orderId: 'o', cents: 1 })
      .then({ published: [[counted, { n: 1 }, { deliverIn, delayKey: 'o' }]] })
  await expected(1000)
  await expect(expected(2000)).rejects.toThrow('deliverIn')
})

test('outputs are validated as the mesh validates them', async () => {
  const order = { orderId: 'o1', cents: 1 }
  await specification(careless).when(order).then({ error: 'MESH_INVALID_PAYLOAD' })
  await specification(unkeyed).when(order).then({ error: 'MESH_INVALID_CONTRACT' })
})

test('an output with an asynchronous schema is validated once the handler has returned', async () => {
  await specification(later)
    .when({ orderId: 'o1', cents: 1 })
    .then({ published: [[checked, { n: 1 }]] })
  await specification(later).when({ orderId: 'o1', cents: 100 }).then({ error: 'MESH_INVALID_PAYLOAD' })
})

test('what was published before a throw counts as not published', async () => {
  await specification(torn).when({ orderId: 'o1', cents: 1 }).then({ error: 'then it broke' })
})

test('the clock decides when the signal aborts', async () => {
  const clock = testClock()
  const outcome = specification(slow).given({ clock }).when({ orderId: 'o1', cents: 1 })
  await clock.advance(499)
  await clock.advance(1)
  await outcome.then({ error: 'MESH_HANDLER_TIMEOUT' })
})

test('a handler of a topic is told the type', async () => {
  await specification(audit)
    .given({ type: 'order.placed' })
    .when({})
    .then({ published: [[counted, { n: 12 }]] })
  await specification(audit).when({}).then({ error: 'needs given({ type })' })
})

test('a difference is told in words and as a diff', async () => {
  const wrong = specification(bill)
    .when({ orderId: 'o1', cents: 250 })
    .then({ published: [[billed, { orderId: 'o1', total: 3 }, { once: true }]] })
  await expect(wrong).rejects.toThrow(/the handler published order\.billed; expected was order\.billed[^]*2\.5[^]*3/)
  const nothing = specification(bill).when({ orderId: 'o1', cents: 250 }).then({})
  await expect(nothing).rejects.toThrow('the handler published order.billed; expected was nothing')
})

test('an error nobody expected, an expected one that did not come and another one are told apart', async () => {
  const order = { orderId: 'o1', cents: -1 }
  await expect(specification(bill).when(order).then({})).rejects.toThrow(
    'the handler failed with Reject: MESH_REJECTED: a bill is never negative; it was expected to succeed',
  )
  await expect(
    specification(bill)
      .when({ ...order, cents: 1 })
      .then({ error: Reject }),
  ).rejects.toThrow('the handler succeeded; it was expected to fail with Reject')
  await expect(specification(bill).when(order).then({ error: 'MESH_EXPIRED' })).rejects.toThrow(
    'expected was MESH_EXPIRED',
  )
})

test('an expectation that can never be met says so', async () => {
  const impossible = specification(bill)
    .when({ orderId: 'o1', cents: 1 })
    .then({ published: [[counted, { n: 'x' }]] })
  await expect(impossible).rejects.toThrow(
    'the expected output 1 can never be published: MeshError: MESH_INVALID_PAYLOAD',
  )
})

test('a handler that does not exist is named as a mistake of the test', () => {
  expect(() => specification(billing.handlers['nobody'])).toThrow('there is no such handler')
})

test('the priority and the time of an output belong to what is expected of it', async () => {
  const remind = command('order.remind', { stream: orders, schema: z.object({ n: z.number() }), priorities: true })
  const { hurry, wrong } = defineService('reminders', {
    handlers: {
      hurry: on(placed, (_, ctx) => ctx.publish(remind, { n: 1 }, { priority: 'high', deliverIn: 1000 })),
      wrong: on(placed, (_, ctx) => ctx.publish(counted, { n: 1 }, { priority: 'high' })),
    },
  }).handlers
  const order = { orderId: 'o1', cents: 1 }
  await specification(hurry)
    .when(order)
    .then({ published: [[remind, { n: 1 }, { priority: 'high', deliverIn: 1000 }]] })
  const asUsual = specification(hurry)
    .when(order)
    .then({ published: [[remind, { n: 1 }]] })
  await expect(asUsual).rejects.toThrow(/priority/)
  await specification(wrong).when(order).then({ error: 'MESH_INVALID_CONTRACT' })
})

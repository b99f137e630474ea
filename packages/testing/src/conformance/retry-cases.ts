import assert from 'node:assert/strict'
import {
  attemptFailed,
  breakerChanged,
  defineService,
  event,
  minutes,
  on,
  retry,
  RetryAfter,
  seconds,
} from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { promise, type Case } from './case.ts'
import {
  billed,
  briefly,
  consumer,
  deadLetters,
  eachOnce,
  idsTo,
  kept,
  keptOfType,
  order,
  Order,
  orders,
  placed,
  publishOrders,
  recorder,
  settled,
} from './kit.ts'

const growingDelay: Case = promise(
  'a throw is retried with a growing delay, and the attempts are counted',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    const policy = retry({ attempts: 5, minDelayMs: 100, maxDelayMs: seconds(5), factor: 2 })
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', retry: policy }, (data, ctx) => {
            if (seen.note(data, ctx).attempt < 4) throw new Error('not yet')
          }),
        },
      }),
    )
    await publishOrders(mesh, 0, 1)
    await settled(env, 'ORDERS', 'billing_bill')
    assert.deepEqual(
      seen.calls.map(({ attempt }) => attempt),
      [1, 2, 3, 4],
    )
    const gaps = seen.calls.slice(1).map(({ at }, index) => at - (seen.calls[index]?.at ?? 0))
    // Jitter only lengthens; a timer may fire a millisecond early.
    for (const [index, least] of [100, 200, 400].entries())
      assert.equal((gaps[index] ?? 0) >= least - 2, true, gaps.join(', '))
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const newerVersion: Case = promise('an event of a newer version waits for a release that knows it', async (env) => {
  const second = event('order.placed', {
    stream: orders,
    schema: Order,
    key: (data) => data.orderId,
    version: 2,
    upcast: (data) => data,
  })
  const seen = recorder()
  const billing = (contract: typeof placed) =>
    defineService('billing', {
      handlers: {
        bill: on(contract, { startFrom: 'all', retry: { ...briefly, attempts: 1 } }, (d, c) => void seen.note(d, c)),
      },
    })
  const mesh = await env.mesh()
  const old = await mesh.start(billing(placed))
  await mesh.publish(second, order(1), { id: 'newer' })
  await mesh.publish(placed, order(2), { id: 'older' })
  await eventually(() => assert.deepEqual(seen.ids(), ['older']))
  await eventually(async () => {
    const [record] = await keptOfType(env, 'MESH', attemptFailed.type)
    assert.equal(JSON.parse(record?.data.toString() ?? '{}').code, 'MESH_NEWER_VERSION')
  })
  await old.stop()
  await (await env.mesh()).start(billing(second))
  await eventually(() => assert.deepEqual(seen.ids(), ['older', 'newer']))
  assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
})

const retryAfter: Case = promise(
  'RetryAfter holds the whole handler back and is not counted against the message',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', concurrency: 1, retry: { ...briefly, attempts: 1 } }, (data, ctx) => {
            seen.note(data, ctx)
            if (seen.calls.length === 1) throw new RetryAfter(1_200)
          }),
        },
      }),
    )
    await publishOrders(mesh, 0, 3)
    await eventually(() => assert.equal(new Set(seen.ids()).size, 3))
    await settled(env, 'ORDERS', 'billing_bill')
    assert.equal(seen.calls.length, 4)
    const [first, second] = seen.calls
    assert.equal((second?.at ?? 0) - (first?.at ?? 0) >= 1_190, true, 'nothing was started before the time')
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const lane: Case = promise(
  'a retry that has to wait long waits on its own lane, and nobody else sees it',
  async (env) => {
    const [failing, other] = [recorder(), recorder()]
    const mesh = await env.mesh()
    const hourly = retry({ attempts: 3, minDelayMs: seconds(300), maxDelayMs: seconds(900) })
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', retry: hourly }, (data, ctx) => {
            failing.note(data, ctx)
            throw new Error('come back later')
          }),
          count: on(placed, { startFrom: 'all' }, (d, c) => void other.note(d, c)),
        },
      }),
    )
    await publishOrders(mesh, 0, 3)
    for (const durable of ['billing_bill', 'billing_count']) await settled(env, 'ORDERS', durable)
    const waiting = await eventually(async () => {
      const copies = await kept(env, 'LANES_BILLING')
      assert.equal(copies.length, 3)
      return copies
    })
    eachOnce(
      waiting.map(({ headers }) => headers['ce-id'] ?? ''),
      idsTo(3),
    )
    for (const { headers, data } of waiting) {
      const due = Date.parse(headers['nats-schedule']?.replace('@at ', '') ?? '')
      assert.equal(due - Date.now() > 200_000, true)
      assert.equal(headers['malha-attempts'], '1')
      assert.deepEqual(JSON.parse(data.toString()), order(Number(headers['ce-id']?.slice(1))))
    }
    assert.equal((await kept(env, 'ORDERS')).length, 3)
    eachOnce(other.ids(), idsTo(3))
  },
)

const laneReturn: Case = promise(
  'what waited for a retry when its process stopped comes back by the lane, attempts and all',
  async (env) => {
    const [first, second] = [recorder(), recorder()]
    const mesh = await env.mesh()
    const billing = (seen: typeof first, succeeds: boolean) =>
      defineService('billing', {
        handlers: {
          bill: on(
            placed,
            { startFrom: 'all', retry: retry({ minDelayMs: seconds(2), maxDelayMs: seconds(4) }) },
            (data, ctx) => {
              seen.note(data, ctx)
              if (!succeeds) throw new Error('not here')
              ctx.publish(billed, data)
            },
          ),
        },
      })
    const running = await mesh.start(billing(first, false))
    await publishOrders(mesh, 0, 5)
    await eventually(() => assert.equal(new Set(first.ids()).size, 5))
    await running.stop()
    const info = await consumer(env, 'ORDERS', 'billing_bill')
    assert.deepEqual([info.num_ack_pending, info.num_pending], [0, 0])
    // One that comes due while it is looked is looked for in vain: it has another place then.
    await eventually(async () => assert.equal((await kept(env, 'LANES_BILLING')).length, 5))
    await (await env.mesh()).start(billing(second, true))
    await eventually(() => assert.equal(second.calls.length, 5))
    eachOnce(second.ids(), idsTo(5))
    // One each in the first process, or more where stopping it took longer than the delay.
    for (const { id, attempt } of second.calls)
      assert.equal(attempt, first.ids().filter((tried) => tried === id).length + 1)
    await eventually(async () => assert.equal((await keptOfType(env, 'ORDERS', billed.type)).length, 5))
    await eventually(async () => assert.deepEqual(await kept(env, 'LANES_BILLING'), []))
  },
)

/** What Node throws when nobody listens. */
function connectionRefused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
}

const breaker: Case = promise(
  'refused connections open the breaker: nothing is pulled, and all goes once the partner is back',
  async (env) => {
    const COUNT = 300
    const seen = recorder()
    let isBack = false
    const mesh = await env.mesh()
    const patient = retry({ attempts: Infinity, forMs: minutes(30), minDelayMs: seconds(28), maxDelayMs: seconds(120) })
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', concurrency: 4, retry: patient }, (data, ctx) => {
            seen.note(data, ctx)
            if (!isBack) throw connectionRefused()
            ctx.publish(billed, data)
          }),
        },
      }),
    )
    const states = async (): Promise<string[]> =>
      (await keptOfType(env, 'MESH', breakerChanged.type)).map(({ data }) => JSON.parse(data.toString()).state)
    await publishOrders(mesh, 0, COUNT)
    await eventually(async () => assert.equal((await states())[0], 'open'))
    const info = await consumer(env, 'ORDERS', 'billing_bill')
    assert.equal(info.num_pending > COUNT / 2, true, 'most of it was never pulled')
    const burnt = seen.calls.length
    assert.equal(burnt < 30, true, `${burnt} calls before it opened`)
    isBack = true
    // Before their own delays (28 s and more) are over.
    await eventually(async () => assert.equal((await keptOfType(env, 'ORDERS', billed.type)).length, COUNT), {
      timeoutMs: 26_000,
    })
    await settled(env, 'ORDERS', 'billing_bill')
    assert.equal((await states()).at(-1), 'closed')
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const attemptRecords: Case = promise('each failed attempt leaves a record that says what comes next', async (env) => {
  const mesh = await env.mesh()
  await mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(placed, { startFrom: 'all', retry: { ...briefly, attempts: 2 } }, () => {
          throw Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' })
        }),
      },
    }),
  )
  const { seq } = await mesh.publish(placed, order(1), { id: 'p1' })
  await deadLetters(env, 1, 'billing_bill')
  const records = await eventually(async () => {
    const found = (await keptOfType(env, 'MESH', attemptFailed.type)).map(({ data }) => JSON.parse(data.toString()))
    assert.equal(found.at(-1)?.outcome, 'dead-letter')
    return found
  })
  const { at, nextAttemptAt, epoch, message, ...first } = records[0]
  assert.deepEqual(first, {
    id: 'p1',
    type: placed.type,
    key: 'o1',
    service: 'billing',
    handler: 'bill',
    attempt: 1,
    code: 'EHOSTUNREACH',
    outcome: 'retry',
    stream: `${env.namespace}_ORDERS`,
    seq,
  })
  assert.match(message, /no route/)
  assert.equal(Date.parse(nextAttemptAt) > Date.parse(at), true)
  assert.equal(Number.isInteger(epoch), true)
  assert.equal(records.at(-1).nextAttemptAt, null)
})

export const retryCases: readonly Case[] = [
  growingDelay,
  newerVersion,
  retryAfter,
  lane,
  laneReturn,
  breaker,
  attemptRecords,
]

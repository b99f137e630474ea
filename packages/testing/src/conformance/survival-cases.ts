import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, hours, type Mesh, on, retry, seconds, stream } from '@malha/mesh'
import { z } from 'zod'
import { eventually } from '../eventually.ts'
import { type Case, type ConformanceEnv, promise } from './case.ts'
import {
  billed,
  briefly,
  consumer,
  deadLetters,
  eachOnce,
  idsTo,
  keptOfType,
  manager,
  order,
  Order,
  placed,
  publishOrders,
  type Recorder,
  recorder,
  settled,
  shipped,
} from './kit.ts'

const small = stream('SMALL', { subjects: ['small.>'], maxBytes: 64 * 1024, maxAgeMs: hours(1) })
const filler = event('small.filler', { stream: small, schema: z.object({ text: z.string() }) })
const noted = event('small.noted', { stream: small, schema: Order, key: (data) => data.orderId })

const derivedIds: Case = promise(
  'a handler that runs again publishes nothing twice, whatever order it takes',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.provision(defineService('shop', { handlers: {}, publishes: [filler, placed] }))
    // One of three outputs cannot be stored at first: the others are, and the handler runs again.
    for (const length of [4_000, 200, 1]) await fill(mesh, length)
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(
            placed,
            { startFrom: 'all', retry: retry({ attempts: 100, minDelayMs: 100, maxDelayMs: 200 }) },
            (data, ctx) => {
              const first = seen.note(data, ctx).attempt === 1
              const outputs = [
                () => ctx.publish(billed, data),
                () => ctx.publish(shipped, { ...data, orderId: 'a' }),
                () => ctx.publish(shipped, { ...data, orderId: 'b' }),
                () => ctx.publish(noted, { ...data, orderId: 'x'.repeat(100) }),
              ]
              for (const publish of first ? outputs : outputs.toReversed()) publish()
            },
          ),
        },
        publishes: [billed, shipped, noted],
      }),
    )
    await mesh.publish(placed, order(1), { id: 'p1' })
    await eventually(() => assert.equal(seen.calls.length > 1, true), { timeoutMs: 30_000 })
    const jsm = await manager(env)
    await jsm.streams.purge(`${env.namespace}_SMALL`)
    await settled(env, 'ORDERS', 'billing_bill')
    const count = async (name: string, type: string): Promise<number> => (await keptOfType(env, name, type)).length
    assert.deepEqual(
      [await count('ORDERS', billed.type), await count('ORDERS', shipped.type), await count('SMALL', noted.type)],
      [1, 2, 1],
    )
  },
)

const durableDeleted: Case = promise('a durable deleted while it runs is made again where it stood', async (env) => {
  const seen = recorder()
  const mesh = await env.mesh()
  await mesh.start(
    defineService('billing', {
      handlers: { bill: on(placed, { startFrom: 'all' }, (d, c) => void seen.note(d, c)) },
    }),
  )
  await publishOrders(mesh, 0, 50)
  await settled(env, 'ORDERS', 'billing_bill')
  const jsm = await manager(env)
  await jsm.consumers.delete(`${env.namespace}_ORDERS`, `${env.namespace}_billing_bill_keyed`)
  await publishOrders(mesh, 50, 80)
  await eventually(() => assert.equal(new Set(seen.ids()).size, 80), { timeoutMs: 40_000 })
  await settled(env, 'ORDERS', 'billing_bill')
  eachOnce(seen.ids(), idsTo(80))
})

const durableDeletedWhileDown: Case = promise(
  'a durable deleted while nobody runs is made again where it stood',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    const billing = defineService('billing', {
      handlers: { bill: on(placed, { startFrom: 'all' }, (d, c) => void seen.note(d, c)) },
    })
    const running = await mesh.start(billing)
    await publishOrders(mesh, 0, 20)
    await settled(env, 'ORDERS', 'billing_bill')
    await running.stop()
    const jsm = await manager(env)
    await jsm.consumers.delete(`${env.namespace}_ORDERS`, `${env.namespace}_billing_bill_keyed`)
    await publishOrders(mesh, 20, 30)
    await (await env.mesh()).start(billing)
    await eventually(() => assert.equal(new Set(seen.ids()).size, 30))
    await settled(env, 'ORDERS', 'billing_bill')
    eachOnce(seen.ids(), idsTo(30))
  },
)

const serverKilled: Case = promise(
  'a server killed in the middle of 2,000 messages and more loses none: each is stored once and handled',
  async (env) => {
    const LEAST = 2_000
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', retry: briefly, ackWaitMs: seconds(5) }, (data, ctx) => {
            seen.note(data, ctx)
            ctx.publish(billed, data)
          }),
        },
      }),
    )
    const publishing = publishInWaves(mesh, LEAST)
    await eventually(() => assert.equal(seen.calls.length > LEAST / 4, true), { timeoutMs: 60_000 })
    await env.server.restart(`${env.namespace}_ORDERS`)
    const count = await publishing.stop()
    await allHandled(env, seen, count)
    assert.equal((await keptOfType(env, 'ORDERS', billed.type)).length, count)
  },
  ['restart'],
)

const stepDown: Case = promise(
  'a leader that steps down, of the stream or the consumer, stops nothing for long and loses nothing',
  async (env) => {
    const LEAST = 1_000
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('billing', {
        handlers: { bill: on(placed, { startFrom: 'all', ackWaitMs: seconds(3) }, (d, c) => void seen.note(d, c)) },
      }),
    )
    const publishing = publishInWaves(mesh, LEAST)
    for (const quarter of [1, 2, 3]) {
      await eventually(() => assert.equal(seen.calls.length > (quarter * LEAST) / 4, true), { timeoutMs: 60_000 })
      await env.server.stepDown(
        `${env.namespace}_ORDERS`,
        quarter === 2 ? undefined : `${env.namespace}_billing_bill_keyed`,
      )
    }
    const count = await publishing.stop()
    await allHandled(env, seen, count)
  },
  ['stepDown'],
)

const mayfly = stream('MAYFLY', { subjects: ['mayfly.>'], maxAgeMs: seconds(6), maxBytes: 2 ** 20 })
const hatched = event('mayfly.hatched', { stream: mayfly, schema: Order })

const expired: Case = promise('events that age out before a handler was past them are found and told', async (env) => {
  const seen = recorder()
  const mesh = await env.mesh()
  const policy = retry({ attempts: 1, minDelayMs: 10, maxDelayMs: 20 })
  const watching = defineService('watch', {
    handlers: { see: on(hatched, { startFrom: 'all', retry: policy }, (d, c) => void seen.note(d, c)) },
  })
  const running = await mesh.start(watching)
  const { seq = 0 } = await mesh.publish(hatched, order(0), { id: 'p0' })
  await eventually(async () => assert.equal((await consumer(env, 'MAYFLY', 'watch_see')).ack_floor.stream_seq, seq))
  await running.stop()
  for (const n of [1, 2, 3]) await mesh.publish(hatched, order(n), { id: `p${n}` })
  const jsm = await manager(env)
  await eventually(async () => assert.equal((await jsm.streams.info(`${env.namespace}_MAYFLY`)).state.messages, 0))
  await (await env.mesh()).start(watching)
  await mesh.publish(hatched, order(4), { id: 'p4' })
  await eventually(() => assert.equal(seen.ids().at(-1), 'p4'))
  // A replica may still have some that the leader has forgotten; those were handled. Each of the others is told.
  const lost = ['p1', 'p2', 'p3'].filter((id) => !seen.ids().includes(id))
  assert.deepEqual(
    seen.ids(),
    ['p0', 'p1', 'p2', 'p3', 'p4'].filter((id) => !lost.includes(id)),
  )
  if (lost.length === 0) return
  const [letter] = await deadLetters(env, 1)
  assert.equal(letter?.headers['malha-dlq-code'], 'MESH_EXPIRED')
  const [first, last] = letter?.subject.split('.').at(-1)?.split('-').map(Number) ?? []
  assert.equal(first, seq + 1)
  assert.equal(last === seq + 3 || last === seq + lost.length, true, `up to ${last} are told, ${lost.join()} are lost`)
})

/** Until the stream takes no more of that length. */
async function fill(mesh: Mesh, length: number): Promise<void> {
  for (let n = 0; n < 1_000; n += 1) {
    const stored = await mesh.publish(filler, { text: 'x'.repeat(length) }, { timeoutMs: 5_000 }).catch(() => undefined)
    if (!stored) return
  }
}

/** Waits until `count` orders are handled; each of them is stored once. */
async function allHandled(env: ConformanceEnv, seen: Recorder, count: number): Promise<void> {
  await eventually(() => assert.equal(new Set(seen.ids()).size, count), { timeoutMs: 60_000 })
  await settled(env, 'ORDERS', 'billing_bill')
  const stored = await keptOfType(env, 'ORDERS', placed.type)
  eachOnce(
    stored.map(({ headers }) => headers['ce-id'] ?? ''),
    idsTo(count),
  )
}

/**
 * Publishes orders, a hundred at a time until `stop`, and `least` in all: so there is a middle to break, however fast the
 * machine is. `stop` gives how many were published.
 */
function publishInWaves(mesh: Mesh, least: number): { stop(): Promise<number> } {
  const stopping = new AbortController()
  const publish = (n: number): Promise<unknown> =>
    mesh.publish(placed, order(n), { id: `p${n}`, timeoutMs: seconds(40) })
  const publishing = (async () => {
    let count = 0
    for (; count < least || !stopping.signal.aborted; count += 100) {
      const from = count
      await Promise.all(Array.from({ length: 100 }, (_, index) => publish(from + index)))
      await sleep(10)
    }
    return count
  })()
  // Told by `stop`; until then it must not count as unhandled.
  publishing.catch(() => undefined)
  return {
    stop() {
      stopping.abort()
      return publishing
    },
  }
}

export const survivalCases: readonly Case[] = [
  derivedIds,
  durableDeleted,
  durableDeletedWhileDown,
  serverKilled,
  stepDown,
  expired,
]

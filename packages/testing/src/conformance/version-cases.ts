import assert from 'node:assert/strict'
import { type Contract, defineService, event, type HandlerContext, type Mesh, on, type ServiceDef } from '@malha/mesh'
import { z } from 'zod'
import { eventually } from '../eventually.ts'
import { promise, type Case } from './case.ts'
import {
  briefly,
  deadLetters,
  eachOnce,
  idsTo,
  kept,
  type Order,
  order,
  orders,
  placed,
  recorder,
  settled,
} from './kit.ts'

/** `n` became `count`, and a currency came. */
const OrderV2 = z.object({ orderId: z.string(), count: z.number().int(), currency: z.string() })
type OrderV2 = z.infer<typeof OrderV2>

const v2 = {
  stream: orders,
  schema: OrderV2,
  version: 2,
  upcast(data: unknown): OrderV2 {
    const { orderId, n } = data as Order
    return { orderId, count: n, currency: 'BRL' }
  },
}
const placedV2: Contract<OrderV2> = event('order.placed', { ...v2, key: (data) => data.orderId })

function billing<Data>(contract: Contract<Data>, note: (data: Data, ctx: HandlerContext) => void): ServiceDef {
  // One attempt: what waits for another release must not count as a failure.
  const options = { startFrom: 'all', retry: { ...briefly, attempts: 1 } } as const
  return defineService('billing', { handlers: { bill: on(contract, options, note) } })
}

const publishV2 = (mesh: Mesh, n: number): Promise<unknown> =>
  mesh.publish(placedV2, { orderId: `o${n}`, count: n, currency: 'EUR' }, { id: `p${n}` })

const upcast: Case = promise(
  'an event of an older version comes to the handler in the shape of the newer one',
  async (env) => {
    const seen: unknown[] = []
    const mesh = await env.mesh()
    await mesh.start(billing(placedV2, (data, ctx) => void seen.push({ ...data, version: ctx.version })))
    await mesh.publish(placed, order(1))
    await publishV2(mesh, 2)
    await eventually(() => assert.equal(seen.length, 2))
    await settled(env, 'ORDERS', 'billing_bill')
    seen.sort((a, b) => (a as OrderV2).count - (b as OrderV2).count)
    assert.deepEqual(seen, [
      { orderId: 'o1', count: 1, currency: 'BRL', version: 1 },
      { orderId: 'o2', count: 2, currency: 'EUR', version: 2 },
    ])
  },
)

const sideBySide: Case = promise(
  'an old and a new release side by side: each event is handled once, the newer ones by the new release',
  async (env) => {
    const COUNT = 60
    const [old, recent] = [recorder(), recorder()]
    const first = await env.mesh()
    await first.start(billing(placed, (data, ctx) => void old.note(data, ctx)))
    const second = await env.mesh()
    await second.start(billing(placedV2, (data, ctx) => void recent.note(data, ctx)))
    for (let n = 0; n < COUNT; n += 1)
      await (n % 2 === 0 ? first.publish(placed, order(n), { id: `p${n}` }) : publishV2(second, n))
    await eventually(() => eachOnce([...old.ids(), ...recent.ids()], idsTo(COUNT)), { timeoutMs: 40_000 })
    await settled(env, 'ORDERS', 'billing_bill')
    for (const { data } of old.calls) assert.equal((data as Order).n % 2, 0)
    for (const { data } of recent.calls)
      assert.equal((data as OrderV2).currency, (data as OrderV2).count % 2 === 0 ? 'BRL' : 'EUR')
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const upgrade: Case = promise(
  'newer events wait while only the old release runs, through its restart, until it is upgraded',
  async (env) => {
    const COUNT = 20
    const [old, recent] = [recorder(), recorder()]
    const publisher = await env.mesh()
    const note = (data: Order, ctx: HandlerContext): void => void old.note(data, ctx)
    for (const half of [0, 1]) {
      const running = await (await env.mesh()).start(billing(placed, note))
      for (let n = half * 10; n < half * 10 + 10; n += 1) await publishV2(publisher, n)
      await publisher.publish(placed, order(100 + half), { id: `older${half}` })
      await eventually(() => assert.equal(old.ids().includes(`older${half}`), true))
      await running.stop()
    }
    eachOnce(old.ids(), ['older0', 'older1'])
    await (await env.mesh()).start(billing(placedV2, (data, ctx) => void recent.note(data, ctx)))
    await eventually(() => eachOnce(recent.ids(), idsTo(COUNT)), { timeoutMs: 40_000 })
    await settled(env, 'ORDERS', 'billing_bill')
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const keyChanged: Case = promise(
  'a key that changed within a version is a dead letter that says so; with a new version it is taken',
  async (env) => {
    const byN = event('order.placed', { stream: orders, schema: placed.schema, key: (data: Order) => `n${data.n}` })
    const byCount = event('order.placed', { ...v2, key: (data) => `n${data.count}` })
    const seen = recorder()
    const mesh = await env.mesh()
    const running = await mesh.start(billing(byN, (data, ctx) => void seen.note(data, ctx)))
    await mesh.publish(placed, order(1), { id: 'other-key' })
    await mesh.publish(byN, order(2), { id: 'same-key' })
    const [letter] = await deadLetters(env, 1, 'billing_bill')
    assert.equal(letter?.headers['malha-dlq-code'], 'MESH_KEY_CHANGED')
    assert.equal(letter?.headers['ce-id'], 'other-key')
    assert.deepEqual(JSON.parse(letter?.data.toString() ?? ''), order(1))
    assert.deepEqual(seen.ids(), ['same-key'])
    await running.stop()
    await (await env.mesh()).start(billing(byCount, (data, ctx) => void seen.note(data, ctx)))
    await mesh.publish(placed, order(3), { id: 'older-version' })
    await eventually(() => assert.deepEqual(seen.ids(), ['same-key', 'older-version']))
    assert.equal(seen.calls.at(-1)?.key, 'o3')
    await deadLetters(env, 1, 'billing_bill')
  },
)

const ordered: Case = promise(
  'where order is kept, a newer event holds its key and no other, and keeps its place until the newer release comes',
  async (env) => {
    const [old, recent] = [recorder(), recorder()]
    const inOrder = <Data>(contract: Contract<Data>, note: (data: Data, ctx: HandlerContext) => void): ServiceDef =>
      defineService('billing', { handlers: { bill: on(contract, { startFrom: 'all', order: 'key' }, note) } })
    const mesh = await env.mesh()
    const running = await mesh.start(inOrder(placed, (data, ctx) => void old.note(data, ctx)))
    await publishV2(mesh, 1)
    await mesh.publish(placed, { orderId: 'o1', n: 2 }, { id: 'behind-it' })
    for (let n = 3; n < 20; n += 1) await mesh.publish(placed, order(n), { id: `p${n}` })
    const others = Array.from({ length: 17 }, (_, index) => `p${index + 3}`)
    await eventually(() => eachOnce(old.ids(), others), { timeoutMs: 20_000 })
    await running.stop()
    await (await env.mesh()).start(inOrder(placedV2, (data, ctx) => void recent.note(data, ctx)))
    await eventually(() => assert.deepEqual(recent.ids(), ['p1', 'behind-it']), { timeoutMs: 40_000 })
    eachOnce(old.ids(), others)
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

export const versionCases: readonly Case[] = [upcast, sideBySide, upgrade, ordered, keyChanged]

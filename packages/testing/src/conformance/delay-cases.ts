import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, type Mesh, on, subjectOf } from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { type Case, type ConformanceEnv, promise } from './case.ts'
import {
  billed,
  eachOnce,
  idsTo,
  kept,
  type Kept,
  keptOfType,
  order,
  placed,
  recorder,
  refused,
  settled,
} from './kit.ts'

const publisher = defineService('shop', { handlers: {}, publishes: [placed] })

/** Publishes `count` orders that come `everyMs` apart, the first after `inMs`. */
async function publishLater(
  mesh: Mesh,
  count: number,
  { inMs, everyMs }: { inMs: number; everyMs: number },
): Promise<void> {
  const later = (n: number): Promise<unknown> =>
    mesh.publish(placed, order(n), { id: `p${n}`, deliverIn: inMs + n * everyMs })
  await Promise.all(Array.from({ length: count }, (_, n) => later(n)))
}

/** What has come, once there are `count` different ones and nothing waits any more. */
async function arrived(env: ConformanceEnv, count: number): Promise<Kept[]> {
  return await eventually(
    async () => {
      const events = await kept(env, 'ORDERS')
      assert.equal(new Set(events.map(idOf)).size, count)
      assert.deepEqual(await kept(env, 'DELAYS'), [])
      return events
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  )
}

const idOf = ({ headers }: Kept): string => headers['ce-id'] ?? ''

const whenDue: Case = promise('a delayed event comes when it is due, as any other of its stream', async (env) => {
  const mesh = await env.mesh()
  await mesh.start(publisher)
  const before = Date.now()
  const said = await mesh.publish(placed, order(1), { id: 'p1', deliverIn: 1000, headers: { 'x-shop': 'lisbon' } })
  assert.equal(said.stream, `${env.namespace}_DELAYS`)
  assert.equal((said.waitsUntil?.getTime() ?? 0) >= before + 900, true)
  assert.deepEqual(await kept(env, 'ORDERS'), [])
  const [event] = await arrived(env, 1)
  assert.equal(event?.subject, `${env.namespace}.${subjectOf(placed, 'o1')}`)
  const { headers } = event
  assert.equal(headers['ce-id'], 'p1')
  assert.equal(headers['nats-msg-id'], 'p1')
  assert.equal(headers['x-shop'], 'lisbon')
  assert.equal(headers['malha-due'], said.waitsUntil?.toISOString())
  assert.equal(headers['ce-time'], headers['malha-due'])
  const odd = Object.keys(headers).filter((name) => /^(nats-sched|malha-delay)/.test(name))
  assert.deepEqual(odd, [])
})

const byKey: Case = promise('what waits under a key is replaced and taken back by it', async (env) => {
  const mesh = await env.mesh()
  await mesh.start(publisher)
  const later = (id: string, deliverIn: number, delayKey: string): Promise<unknown> =>
    mesh.publish(placed, order(1), { id, deliverIn, delayKey })
  await later('replaced', 1500, 'a')
  await later('second', 2000, 'a')
  await later('cancelled', 1500, 'b')
  assert.equal(await mesh.cancelDelayed(placed, 'b'), true)
  assert.equal(await mesh.cancelDelayed(placed, 'b'), false)
  await later('last', 2500, 'c')
  const waiting = await mesh.delayed(placed)
  assert.deepEqual(
    waiting.map((one) => (one.kind === 'once' ? [one.id, one.delayKey] : [])),
    [
      ['second', 'a'],
      ['last', 'c'],
    ],
  )
  await eventually(async () => assert.deepEqual((await kept(env, 'ORDERS')).map(idOf), ['second', 'last']))
})

const badTimes: Case = promise(
  'a time that is past comes at once; what is no time, or too far, is refused',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.start(publisher)
    await mesh.publish(placed, order(1), { id: 'past', deliverAt: new Date(0) })
    const tenYears = await mesh.publish(placed, order(2), { deliverIn: 10 * 365 * 86_400_000, delayKey: 'far' })
    await refused(mesh.publish(placed, order(3), { deliverIn: Number.NaN }), 'MESH_INVALID_DELAY')
    await refused(mesh.publish(placed, order(3), { deliverIn: Infinity }), 'MESH_INVALID_DELAY')
    await refused(mesh.schedule(placed, order(3), { name: 'n', cron: 'never' }), 'MESH_INVALID_DELAY')
    await eventually(async () => assert.deepEqual((await kept(env, 'ORDERS')).map(idOf), ['past']))
    const waiting = await mesh.delayed()
    assert.deepEqual(
      waiting.map((one) => one.kind === 'once' && one.until),
      [tenYears.waitsUntil],
    )
  },
)

const recurring: Case = promise(
  'a recurring event comes each time as one of its own, until it is ended',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.start(publisher)
    const everySecond = { name: 'tick', everyMs: 1000 }
    assert.equal((await mesh.schedule(placed, order(1), everySecond)).changed, true)
    assert.equal((await mesh.schedule(placed, order(1), everySecond)).changed, false)
    await eventually(async () => assert.equal((await kept(env, 'ORDERS')).length >= 2, true))
    assert.equal(await mesh.unschedule(placed, 'tick'), true)
    assert.equal(await mesh.unschedule(placed, 'tick'), false)
    const ids = (await kept(env, 'ORDERS')).map(idOf)
    assert.equal(new Set(ids).size, ids.length)
  },
)

const outputs: Case = promise(
  'a handler’s delayed output keeps its derived id, and a repeat adds nothing',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('billing', {
        publishes: [billed],
        handlers: {
          bill: on(placed, { startFrom: 'all' }, (data, ctx) => {
            ctx.publish(billed, data, { deliverIn: 500, delayKey: `bill ${data.orderId}` })
            seen.note(data, ctx)
          }),
        },
      }),
    )
    await mesh.publish(placed, order(1), { id: 'p1' })
    await eventually(async () => assert.equal((await keptOfType(env, 'ORDERS', 'order.billed')).length, 1))
    const [output] = await keptOfType(env, 'ORDERS', 'order.billed')
    assert.match(output?.headers['ce-id'] ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8/)
    assert.equal(output?.headers['ce-causationid'], 'p1')
    const { id = '' } = seen.calls[0] ?? {}
    assert.equal(id, 'p1')
    const repeat = await mesh.publish(billed, order(1), {
      id: output?.headers['ce-id'] ?? '',
      deliverIn: 500,
      delayKey: 'bill o1',
    })
    assert.equal(repeat.duplicate, true)
    await settled(env, 'ORDERS', 'billing_bill')
  },
)

const serverKilled: Case = promise(
  'what waits survives a kill of its server, also what becomes due meanwhile: each comes once',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.start(publisher)
    await publishLater(mesh, 60, { inMs: 1000, everyMs: 50 })
    await eventually(async () => assert.equal((await kept(env, 'ORDERS')).length >= 5, true))
    await env.server.restart(`${env.namespace}_DELAYS`)
    const events = await arrived(env, 60)
    eachOnce(events.map(idOf), idsTo(60))
  },
  ['restart'],
)

const leaderChanges: Case = promise(
  'changes of leader while events become due lose none and double none',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.start(publisher)
    await publishLater(mesh, 100, { inMs: 1000, everyMs: 30 })
    for (let round = 0; round < 4; round += 1) {
      await env.server.stepDown(`${env.namespace}_${round % 2 === 0 ? 'DELAYS' : 'ORDERS'}`)
      await sleep(300)
    }
    const events = await arrived(env, 100)
    eachOnce(events.map(idOf), idsTo(100))
  },
  ['stepDown'],
)

/** What is promised of events that come later. */
export const delayCases: readonly Case[] = [whenDue, byKey, badTimes, recurring, outputs, serverKilled, leaderChanges]

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { command, defineService, on, onBatch, type Priority, Reject } from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { type Case, promise } from './case.ts'
import {
  billed,
  briefly,
  deadLetters,
  eachOnce,
  idsTo,
  keptOfType,
  Order,
  orders,
  placed,
  publishOrders,
  recorder,
  settled,
} from './kit.ts'

const batches: Case = promise(
  'a batch handler gets several messages in one call, and each of them may fail alone',
  async (env) => {
    const mesh = await env.mesh()
    const sizes: number[] = []
    const seen = recorder()
    const bill = onBatch(
      placed,
      { startFrom: 'all', size: 20, maxAgeMs: 200, retry: briefly, order: 'none' },
      (batch) => {
        sizes.push(batch.length)
        for (const message of batch) {
          seen.calls.push({ ...message, at: 0 })
          if (message.data.n === 3) message.fail(new Reject('no such customer'))
          if (message.data.n === 4 && message.attempt < 3) message.fail(new Error('not yet'))
          message.publish(billed, message.data)
        }
      },
    )
    await mesh.provision(defineService('feeder', { handlers: {}, publishes: [placed] }))
    await publishOrders(mesh, 0, 60)
    await mesh.start(defineService('billing', { handlers: { bill }, publishes: [billed] }))
    await settled(env, 'ORDERS', 'billing_bill')
    await eventually(() => assert.equal(seen.calls.filter(({ id }) => id === 'p4').length, 3))
    assert.equal(Math.max(...sizes) > 1, true, `no batch had more than one message: ${sizes.join(', ')}`)
    eachOnce(seen.ids(), [...idsTo(60), 'p4', 'p4'])
    await deadLetters(env, 1, 'billing_bill')
    await eventually(async () => assert.equal((await keptOfType(env, 'ORDERS', 'order.billed')).length, 59))
  },
)

const poison: Case = promise('a message that breaks its whole batch becomes a dead letter alone', async (env) => {
  const mesh = await env.mesh()
  const done: string[] = []
  const bill = onBatch(
    placed,
    { startFrom: 'all', size: 10, maxAgeMs: 100, retry: briefly, order: 'none' },
    (batch) => {
      if (batch.some(({ data }) => data.n === 5)) throw new Error('the bulk insert failed')
      done.push(...batch.map(({ id }) => id))
    },
  )
  await mesh.start(defineService('billing', { handlers: { bill } }))
  await publishOrders(mesh, 0, 30)
  await deadLetters(env, 1, 'billing_bill')
  eachOnce(
    done,
    idsTo(30).filter((id) => id !== 'p5'),
  )
})

const rush = command('order.rush', { stream: orders, schema: Order, key: ({ orderId }) => orderId, priorities: true })

const priorities: Case = promise('urgent commands go first, and the least urgent are not starved', async (env) => {
  const mesh = await env.mesh()
  await mesh.provision(defineService('feeder', { handlers: {}, publishes: [rush] }))
  const all: Priority[] = ['low', 'normal', 'high']
  for (const priority of all)
    await Promise.all(idsTo(100, priority).map((id, n) => mesh.publish(rush, { orderId: id, n }, { id, priority })))
  const started: string[] = []
  const work = on(rush, { startFrom: 'all', concurrency: 2 }, async (_, ctx) => {
    started.push(ctx.id)
    await sleep(3)
  })
  await mesh.start(defineService('worker', { handlers: { work } }))
  await eventually(() => assert.equal(started.length, 300), { timeoutMs: 30_000 })
  eachOnce(
    started,
    all.flatMap((priority) => idsTo(100, priority)),
  )
  const half = started.slice(0, 150)
  const share = (priority: Priority): number => half.filter((id) => id.startsWith(priority)).length
  assert.equal(share('high') > share('low'), true, `of 150: ${all.map((one) => `${one} ${share(one)}`).join(', ')}`)
  assert.equal(share('low') > 0, true, 'low was starved')
})

const limits: Case = promise(
  'a handler runs no faster and no wider than it is told, also when that changes',
  async (env) => {
    const mesh = await env.mesh()
    let atOnce = 0
    let peak = 0
    const starts: number[] = []
    const bill = on(placed, { startFrom: 'all', concurrency: 3, rateLimit: { perSecond: 20, burst: 1 } }, async () => {
      starts.push(performance.now())
      peak = Math.max(peak, ++atOnce)
      await sleep(10)
      atOnce--
    })
    const running = await mesh.start(defineService('billing', { handlers: { bill } }))
    await publishOrders(mesh, 0, 100)
    await eventually(() => assert.equal(starts.length >= 11, true))
    assert.equal(starts[10]! - starts[0]! > 300, true, 'ten gaps of 50 ms took far less')
    running.adjust('bill', { rateLimit: null })
    await settled(env, 'ORDERS', 'billing_bill')
    assert.equal(starts.length, 100)
    assert.equal(peak <= 3, true, `${peak} at once`)
  },
)

/** How much a handler takes at once, how fast, and what first. */
export const workCases: readonly Case[] = [batches, poison, priorities, limits]

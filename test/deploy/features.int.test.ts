import { defineDeployment, type Workload } from '@malha/deployment'
import { command, defineService, event, on, reply, request, stream, topic } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually, testServer, untilSettled } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { deploymentUsers } from './users.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const work = stream('WORK', { subjects: ['work.>'] })
const schema = z.object({ id: z.string() })
const placed = event('order.placed', { stream: orders, schema, key: ({ id }) => id })
const counted = event('order.counted', { stream: orders, schema })
const pack = command('work.pack', { stream: work, schema, key: ({ id }) => id, priorities: true })
const price = request('order.price', { schema, reply: z.object({ cents: z.number() }) })

const shop = defineService('shop', {
  publishes: [placed, counted],
  handlers: {
    ordered: on(placed, { order: 'key', startFrom: 'all', ackWaitMs: 2000 }, () => {}),
    once: on(placed, { effects: 'once', inbox: { keepMs: 60_000 }, startFrom: 'all' }, ({ id }, ctx) => {
      if (ctx.attempt === 1) throw new Error('not yet')
      ctx.publish(counted, { id })
    }),
    all: on(topic(orders, 'order.>'), { startFrom: 'all' }, () => {}),
  },
})
const packing = defineService('packing', {
  publishes: [pack],
  replies: { price: reply(price, ({ id }) => ({ cents: id.length })) },
  handlers: { pack: on(pack, { startFrom: 'all' }, () => {}) },
})

const workloads: Workload[] = [
  {
    name: 'shop',
    service: shop,
    uses: { asks: [price], delays: [placed] },
    buckets: [{ name: 'CARTS' }],
    kind: 'Deployment',
    ports: {},
  },
  { name: 'packing', service: packing, kind: 'Deployment', ports: {} },
  { name: 'console', tool: 'console', uses: { sendsEvents: true }, kind: 'Deployment', ports: {} },
  { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
]

it('durables of its own, order by key, effects once, an inbox, topics, priorities, requests, delays and buckets are a service’s by generated rights alone, events by hand a console’s that is to send them, and nothing is refused', async () => {
  await using users = await deploymentUsers(defineDeployment({ name: 'shop', namespace: 'shop', workloads }))
  await using server = await testServer({ config: users.config, onLine: users.onLine })
  await users.prepare(server.url)
  await using one = await users.mesh('shop', server.url)
  // Its user may make its own durables, but no stream.
  await using other = await users.mesh('packing', server.url, { topology: 'ensure' })
  const running = await one.start(shop)
  await other.start(packing)
  await one.publish(placed, { id: 'now' })
  await one.publish(placed, { id: 'later' }, { deliverIn: 200 })
  for (const priority of ['high', 'normal', 'low'] as const) await other.publish(pack, { id: priority }, { priority })
  expect(await one.request(price, { id: 'abc' })).toEqual({ cents: 3 })
  await (await one.bucket('CARTS')).put('c-1', 'x')
  await using console = await users.mesh('console', server.url)
  using operations = await openOperations(console)
  await eventually(() => operations.contracts.publish('order.placed', { id: 'by-hand' }, { who: 'ana' }))
  await using admin = await users.mesh('admin', server.url)
  const jsm = await jetstreamManager(admin.nats)
  const subjects = async (filter: string): Promise<number> =>
    Object.keys((await jsm.streams.info('ORDERS', { subjects_filter: filter })).state.subjects ?? {}).length
  await eventually(async () => expect(await subjects('order.placed.>')).toBe(3))
  await eventually(async () =>
    expect((await jsm.streams.info('ORDERS', { subjects_filter: 'order.counted' })).state.subjects).toEqual({
      'order.counted': 3,
    }),
  )
  for await (const { name } of jsm.consumers.list('WORK')) await untilSettled(admin.nats, 'WORK', name)
  await running.stop()
  // To look after what the server gives up, and to bring what another service delays, is for others: a service asks the
  // server whether it may, and does not try.
  expect(users.refusals).toEqual([])
})

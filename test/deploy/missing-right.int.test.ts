import { setTimeout as sleep } from 'node:timers/promises'
import { type Deployment, defineDeployment, type Workload } from '@malha/deployment'
import { defineService, event, type Mesh, on, stream } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { deploymentUsers } from './users.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const schema = z.object({ id: z.string() })
const placed = event('order.placed', { stream: orders, schema })
const billed = event('order.billed', { stream: orders, schema })
const shop = defineService('shop', {
  publishes: [billed],
  handlers: {
    // Long enough for a heartbeat: one answer to each delivery is allowed to whoever may respond, acks by their subject or not.
    bill: on(placed, { startFrom: 'all', ackWaitMs: 1000 }, async ({ id }, ctx) => {
      await sleep(400)
      ctx.publish(billed, { id })
    }),
  },
})
const workloads: Workload[] = [
  { name: 'shop', service: shop, kind: 'Deployment', ports: {} },
  { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
]
const deployment: Deployment = defineDeployment({ name: 'shop', namespace: 'shop', workloads })

it.each([
  '_INBOX_shop.>',
  '$JS.API.STREAM.INFO.ORDERS',
  '$JS.API.CONSUMER.INFO.ORDERS.shop_bill',
  '$JS.API.CONSUMER.MSG.NEXT.ORDERS.shop_bill',
  '$JS.API.DIRECT.GET.KV_MESH_CHECKPOINTS.$KV.MESH_CHECKPOINTS.shop_bill',
  '$JS.ACK.ORDERS.shop_bill.>',
  'order.billed',
])(
  'without the right to %s a service names it in its error, its log or its health, at its start or with its first message, and loses nothing',
  async (right) => {
    await using users = await deploymentUsers(deployment, right)
    await using server = await testServer({ config: users.config })
    await users.prepare(server.url)
    await using admin = await users.mesh('admin', server.url)
    await admin.publish(placed, { id: 'o-1' })
    const said: string[] = []
    const say = (fields: object, message: string): void =>
      void said.push(JSON.stringify({ ...fields, message, err: errorOf(fields) }))
    const logger = { debug: say, info: say, warn: say, error: say }
    const begin = async (opened: AsyncDisposableStack): Promise<Mesh> => {
      const mesh = opened.use(await users.mesh('shop', server.url, { logger }))
      opened.use(await mesh.start(shop))
      return mesh
    }
    {
      await using opened = new AsyncDisposableStack()
      const mesh = await begin(opened).catch((error: unknown) => void said.push(String(error)))
      const heard = (): string => [...said, ...(mesh?.health().reasons ?? [])].join('\n')
      await eventually(() => expect(heard()).toContain(right.replace(/>$/, '')))
    }
    // With all rights it goes on where it was.
    await using _running = await admin.start(shop)
    const jsm = await jetstreamManager(admin.nats)
    await eventually(async () => {
      const { state } = await jsm.streams.info('ORDERS', { subjects_filter: 'order.billed' })
      expect(state.subjects).toEqual({ 'order.billed': 1 })
    })
  },
)

const errorOf = (fields: object): string => ('err' in fields && fields.err instanceof Error ? fields.err.message : '')

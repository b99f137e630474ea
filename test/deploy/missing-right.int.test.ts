import { defineDeployment, type Workload } from '@malha/deployment'
import { connectMesh, defineService, event, meshOptions, on, stream } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { deploymentUsers } from './users.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const schema = z.object({ id: z.string() })
const placed = event('order.placed', { stream: orders, schema })
const billed = event('order.billed', { stream: orders, schema })
const shop = defineService('shop', {
  publishes: [billed],
  handlers: { bill: on(placed, { startFrom: 'all' }, ({ id }, ctx) => ctx.publish(billed, { id })) },
})
const workloads: Workload[] = [
  { name: 'shop', service: shop, kind: 'Deployment', ports: {} },
  { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
]

it.each([
  '_INBOX_shop.>',
  '$JS.API.STREAM.INFO.ORDERS',
  '$JS.API.CONSUMER.INFO.ORDERS.shop_bill',
  '$JS.API.CONSUMER.MSG.NEXT.ORDERS.shop_bill',
  '$JS.API.DIRECT.GET.KV_MESH_CHECKPOINTS.$KV.MESH_CHECKPOINTS.shop_bill',
])(
  'without the right to %s a service names it in its error, its log or its health, at its start or with its first message',
  async (right) => {
    await using users = await deploymentUsers(defineDeployment({ name: 'shop', namespace: 'shop', workloads }), right)
    await using server = await testServer(users)
    await users.prepare(server.url)
    const env = (user: string): Record<string, string> => ({ NATS_URL: server.url, ...users.as(user) })
    await using admin = await connectMesh(meshOptions(env('admin')))
    await admin.publish(placed, { id: 'o-1' })
    const said: string[] = []
    const say = (fields: object, message: string): void =>
      void said.push(JSON.stringify({ ...fields, message, err: errorOf(fields) }))
    const logger = { debug: say, info: say, warn: say, error: say }
    const start = async (): Promise<void> => {
      await using mesh = await connectMesh({ ...meshOptions(env('shop')), logger })
      await using _running = await mesh.start(shop)
      await eventually(() => expect([...said, ...mesh.health().reasons].join('\n')).toContain(right.replace(/>$/, '')))
    }
    await start().catch((error: unknown) => said.push(String(error)))
    expect(said.join('\n')).toContain(right.replace(/>$/, ''))
  },
)

const errorOf = (fields: object): string => ('err' in fields && fields.err instanceof Error ? fields.err.message : '')

import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Deployment, defineDeployment, type Workload } from '@malha/deployment'
import { defineService, event, type Mesh, on, stream } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { reload } from '../certificates/reload.ts'
import { deploymentUsers } from './users.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const schema = z.object({ id: z.string() })
const placed = event('order.placed', { stream: orders, schema })
const billed = event('order.billed', { stream: orders, schema })
const shop = defineService('shop', {
  publishes: [billed],
  handlers: {
    bill: on(placed, { startFrom: 'all' }, ({ id }, ctx) => ctx.publish(billed, { id })),
  },
})
const workloads: Workload[] = [
  { name: 'shop', service: shop, kind: 'Deployment', ports: {} },
  { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
]
const deployment: Deployment = defineDeployment({ name: 'shop', namespace: 'shop', workloads })

it.concurrent.each([
  '_INBOX_shop.>',
  '$JS.API.STREAM.INFO.ORDERS',
  '$JS.API.CONSUMER.INFO.ORDERS.shop_bill',
  '$JS.API.CONSUMER.MSG.NEXT.ORDERS.shop_bill',
  '$JS.API.DIRECT.GET.KV_MESH_CHECKPOINTS.$KV.MESH_CHECKPOINTS.shop_bill',
  '$JS.ACK.ORDERS.shop_bill.>',
  '$JS.ACK.LANES_SHOP.shop_bill.>',
  'lane.shop.bill.>',
  'dlq.shop_bill.>',
  'order.billed',
])(
  'without the right to %s a service names it in its error or its health at its start, before the first message, and loses nothing',
  async (right) => {
    await using users = await deploymentUsers(deployment, right)
    await using server = await testServer({ config: users.config })
    await users.prepare(server.url)
    await using admin = await users.mesh('admin', server.url)
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
      await admin.publish(placed, { id: 'o-1' })
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

it.concurrent('a right that is taken from whoever is connected is told when it is used, and not any more once it is given back', async () => {
  await using users = await deploymentUsers(deployment)
  await using folder = await mkdtempDisposable(join(tmpdir(), 'malha-rights-'))
  const file = join(folder.path, 'users.conf')
  await writeFile(file, users.config)
  await using server = await testServer({ config: `include "../${basename(folder.path)}/users.conf"` })
  await users.prepare(server.url)
  await using admin = await users.mesh('admin', server.url)
  await using mesh = await users.mesh('shop', server.url)
  await using _running = await mesh.start(shop)
  expect(mesh.health().reasons).toEqual([])
  await writeFile(file, users.config.replaceAll('"order.billed"', ''))
  await reload(server)
  await eventually(async () => {
    await admin.publish(placed, { id: 'o-1' })
    expect(mesh.health().reasons.join()).toContain('allow it to publish on order.billed')
  })
  await writeFile(file, users.config)
  await reload(server)
  await eventually(() => expect(mesh.health().reasons).toEqual([]))
})

const errorOf = (fields: object): string => ('err' in fields && fields.err instanceof Error ? fields.err.message : '')

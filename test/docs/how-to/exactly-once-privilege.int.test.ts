import { connectMesh, meshOptions } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { billing } from './bill-orders.ts'
import { orderPlaced } from './order-contracts.ts'
import { keepRefusals } from './refusals.ts'

/** What every service needs (run on your own NATS), for `billing`. */
const usual = [
  'order.>',
  'stock.>',
  'mesh.>',
  'lane.billing.>',
  'dlq.billing_bill.>',
  'dlq.billing_charge.>',
  '$JS.API.STREAM.PURGE.LANES_BILLING',
  '$JS.API.CONSUMER.DURABLE.CREATE.*.*',
  '$JS.API.CONSUMER.CREATE.*.*.>',
  '$JS.API.CONSUMER.INFO.*.*',
  '$JS.API.CONSUMER.MSG.NEXT.*.*',
  '$JS.API.CONSUMER.LIST.*',
  '$JS.ACK.>',
  '$JS.API.INFO',
  '$JS.API.STREAM.INFO.*',
  '$JS.API.STREAM.MSG.GET.LANES_BILLING',
  '$JS.API.DIRECT.GET.KV_MESH_CHECKPOINTS.>',
  '$KV.MESH_CHECKPOINTS.*',
  '$JS.API.STREAM.MSG.GET.KV_HANDLERS',
]
const heard = ['_INBOX_billing.>', '_malha.control.billing', '_malha.status.billing']
/** What the page adds. */
const added = [
  '_done.ORDERS.>',
  '$JS.API.STREAM.MSG.GET.ORDERS',
  '$KV.MESH_INBOX.billing.>',
  '$JS.API.STREAM.MSG.GET.KV_MESH_INBOX',
]

test('with the permissions of the page outputs are stored once and an inbox is kept, and nothing is refused', async () => {
  const allow = JSON.stringify([...usual, ...added])
  const config = `authorization { users: [
    { user: admin, password: admin-pw }
    { user: billing, password: billing-pw, permissions: { subscribe: { allow: ${JSON.stringify(heard)} }, publish: { allow: ${allow} } } }
  ] }`
  await using server = await testServer({ config })
  const service = billing(async () => Promise.resolve(Response.json({})))
  const NATS_URL = server.url
  await using admin = await connectMesh(meshOptions({ NATS_URL, NATS_USER: 'admin', NATS_PASSWORD: 'admin-pw' }))
  await admin.provision(service)
  const { refusals, logger } = keepRefusals()
  const least = { NATS_URL, NATS_USER: 'billing', NATS_PASSWORD: 'billing-pw', NATS_INBOX_PREFIX: '_INBOX_billing' }
  await using mesh = await connectMesh({ ...meshOptions(least), logger })
  await using _running = await mesh.start(service)
  await admin.publish(orderPlaced, { orderId: 'o-1', cents: 1 })
  const jsm = await jetstreamManager(admin.nats)
  await eventually(async () => expect((await jsm.streams.info('ORDERS')).state.messages).toBe(4))
  await eventually(async () => expect((await jsm.streams.info('KV_MESH_INBOX')).state.messages).toBe(1))
  expect(refusals).toEqual([])
})

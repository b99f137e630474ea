import { defineService } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { orderPlaced, orders } from './order-contracts.ts'
import { billUnchanged, placeOrder } from './place-order.ts'

test('an order is placed with its stock reserved, once however often it is tried, as the page shows', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [orderPlaced] }))
  const first = await placeOrder(mesh, { orderId: 'o-1', cents: 100 })
  expect(first.map(({ seq }) => seq)).toEqual([1, 2])
  const again = await placeOrder(mesh, { orderId: 'o-1', cents: 100 })
  expect(again).toEqual(first.map((one) => ({ ...one, duplicate: true })))
  await mesh.publish(orderPlaced, { orderId: 'o-2', cents: 1 }, { id: 'by-another', once: true })
  await expect(placeOrder(mesh, { orderId: 'o-2', cents: 1 })).rejects.toMatchObject({ code: 'MESH_ONCE_CONFLICT' })
  const { state } = await (await jetstreamManager(mesh.nats)).streams.info(mesh.names.stream(orders))
  expect(state.messages).toBe(3)
})

test('an order is billed only while nothing else has happened to it, as the page shows', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [orderPlaced] }))
  const order = { orderId: 'o-1', cents: 100 }
  const [{ seq: lastSeq } = { seq: 0 }] = await placeOrder(mesh, order)
  expect((await billUnchanged(mesh, order, lastSeq)).seq).toBe(3)
  await expect(billUnchanged(mesh, order, lastSeq)).rejects.toMatchObject({ code: 'MESH_EXPECTATION_FAILED' })
})

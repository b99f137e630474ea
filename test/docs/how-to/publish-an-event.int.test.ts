import { fileURLToPath } from 'node:url'
import { spawnChild } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { placeOrder, shop } from './publish-an-event.ts'

test('an order is stored once however often it is asked for, and what is wrong is told, as the page shows', async () => {
  await using t = await testMesh()
  await t.mesh.provision(shop)
  const order = { orderId: 'o-7', cents: 990 }
  expect(await placeOrder(t.mesh, order)).toEqual({ status: 201, body: { id: 'o-7.placed' } })
  expect((await placeOrder(t.mesh, order)).status).toBe(200)
  expect((await placeOrder(t.mesh, { ...order, cents: 1 })).status).toBe(409)
  expect((await placeOrder(t.mesh, { orderId: 'o-8', cents: -1 })).status).toBe(400)
})

test('the page’s script publishes an event and ends', async () => {
  await using t = await testMesh()
  const said: string[] = []
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('publish-an-event-script.ts', import.meta.url))],
    env: { ...process.env, NATS_URL: t.url, MALHA_NAMESPACE: t.namespace },
    onLine: (line) => said.push(line),
  })
  expect((await child.exited).code).toBe(0)
  await eventually(() => expect(said).toEqual([`order.placed is number 1 of ${t.namespace}_ORDERS`]))
})

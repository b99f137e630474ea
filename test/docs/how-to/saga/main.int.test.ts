import { fileURLToPath } from 'node:url'
import { defineService } from '@malha/mesh'
import { openSaga } from '@malha/patterns'
import { spawnChild } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { orderPlaced } from './contracts.ts'
import { orderSaga } from './order-saga.ts'
import { stuckOrders } from './stuck.ts'

test('the page’s process runs the saga, and one that waits for too long is listed', async () => {
  await using t = await testMesh()
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('main.ts', import.meta.url))],
    env: { ...process.env, NATS_URL: t.url, MALHA_NAMESPACE: t.namespace },
    onLine: () => undefined,
  })
  try {
    await t.mesh.provision(defineService('shop', { handlers: {}, publishes: [orderPlaced] }))
    await t.mesh.publish(orderPlaced, { orderId: 'o-1', sku: 's', cents: 100 })
    const orders = await openSaga(t.mesh, { ...orderSaga(), stuckAfterMs: 0 })
    await eventually(async () => expect((await orders.get('o-1'))?.state.waitsFor).toBe('stock'))
    expect(await stuckOrders(orders)).toEqual([
      expect.stringMatching(/^o-1 waits for stock since order.placed of .*, 0 min$/),
    ])
  } finally {
    child.kill('SIGTERM')
  }
  expect((await child.exited).code).toBe(0)
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineService } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { connectWithSpool, orderPlaced, placeOrder } from './publish-while-away.ts'

test('the page’s service answers 202 with and without a broker, and every order is stored once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'malha-page-'))
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(defineService('shop', { handlers: {}, publishes: [orderPlaced] }))
  const options = { servers: server.url, namespace: t.namespace }
  {
    await using mesh = await connectWithSpool(options, join(folder, 'spool.db'))
    expect(await placeOrder(mesh, 'o1', 100)).toStrictEqual({ status: 202, body: { orderId: 'o1' } })
    await server.kill()
    await eventually(async () =>
      expect(await placeOrder(mesh, 'o2', 100)).toStrictEqual({ status: 202, body: { orderId: 'o2', queued: true } }),
    )
    await server.start()
    await eventually(() => expect(mesh.queued).toBe(0))
  }
  const stored = await eventually(async () => {
    const jsm = await jetstreamManager(t.nats, { timeout: 1000 })
    return (await jsm.streams.info(t.mesh.names.stream('ORDERS'))).state.messages
  })
  expect(stored).toBe(2)
  rmSync(folder, { recursive: true })
})

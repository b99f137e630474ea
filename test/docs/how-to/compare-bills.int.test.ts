import { openOperations } from '@malha/operations'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { billing } from './compare-bills.ts'
import { orderPlaced, orders } from './order-contracts.ts'

test('the next price list is tried on the orders of the past, as the page shows', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const running = await mesh.start(
    billing(
      ({ cents }) => cents,
      ({ cents }) => cents - 100,
    ),
  )
  for (const cents of [50, 150, 250]) await mesh.publish(orderPlaced, { orderId: `o-${cents}`, cents })
  const jsm = await jetstreamManager(mesh.nats)
  const count = async (): Promise<number> => (await jsm.streams.info(mesh.names.stream(orders))).state.messages
  await eventually(async () => expect(await count()).toBe(6))
  using operations = await openOperations(mesh)
  const { id } = await operations.runs.replay({ service: 'billing', handler: 'billNext', who: 'ana' })
  const run = await operations.runs.work(id, { who: 'ana' })
  expect(run).toMatchObject({ counts: { ok: 2, failed: 1 }, withheld: { 'order.billed': 2 } })
  expect(await count()).toBe(6)
  await running.stop()
})

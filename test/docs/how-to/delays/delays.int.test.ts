import { defineService, on } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { paymentAsked, paymentCame, paymentOverdue, reportDue } from './contracts.ts'
import { dunning, forget, remindLater, scheduleReports, whatWaits } from './delays.ts'

test('what is delayed is listed, and forgotten when it is not needed, as the page shows', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [paymentOverdue, reportDue] }))
  const { waitsUntil } = await remindLater(mesh, 'o-1')
  await scheduleReports(mesh)
  await scheduleReports(mesh)
  expect(await whatWaits(mesh)).toEqual([
    `payment.overdue o-1 until ${waitsUntil!.toISOString()}`,
    'report.due daily sales: 0 0 8 * * MON-FRI in Europe/Lisbon',
    'report.due stock: @every 60s',
  ])
  expect(await forget(mesh, 'o-1')).toBe(true)
  expect(await forget(mesh, 'o-1')).toBe(false)
})

test('an order that is not paid in time is overdue, one that is paid is not', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const overdue: string[] = []
  await mesh.start(dunning(mesh, 2000))
  const onOverdue = on(paymentOverdue, { startFrom: 'all' }, ({ orderId }) => void overdue.push(orderId))
  await mesh.start(defineService('shop', { handlers: { onOverdue }, publishes: [paymentAsked, paymentCame] }))
  await mesh.publish(paymentAsked, { orderId: 'paid' })
  await mesh.publish(paymentAsked, { orderId: 'forgotten' })
  await eventually(async () => expect(await whatWaits(mesh)).toHaveLength(2))
  await mesh.publish(paymentCame, { orderId: 'paid' })
  await eventually(() => expect(overdue).toEqual(['forgotten']))
  expect(await whatWaits(mesh)).toEqual([])
})

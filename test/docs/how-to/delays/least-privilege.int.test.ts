import { connectMesh, defineService } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { fences, readText } from '../../pages.ts'
import { paymentOverdue, payments, reportDue } from './contracts.ts'
import { whatWaits } from './delays.ts'

const rights = fences(readText('docs/how-to/delay-and-schedule-messages.md'))
  .find(({ info }) => info === 'conf delays')!
  .body.trim()

const config = `authorization { users: [
  { user: deployer, password: d }
  { user: dunning, password: p, permissions: {
    subscribe: { allow: ["_INBOX_dunning.>"] }
    publish: { allow: ["payment.overdue", "payment.overdue.>", "$JS.API.INFO"
      ${rights} ] } } }
] }`

test('with the rights of the page one type is delayed, cancelled, brought and scheduled, and no other', async () => {
  await using server = await testServer({ config })
  const servers = server.url
  await using admin = await connectMesh({ servers, user: 'deployer', password: 'd' })
  await admin.provision(defineService('dunning', { handlers: {}, publishes: [paymentOverdue, reportDue] }))
  const refused: object[] = []
  const logger = {
    debug() {},
    info() {},
    warn: (it: object) => refused.push(it),
    error: (it: object) => refused.push(it),
  }
  const least = { servers, user: 'dunning', password: 'p', inboxPrefix: '_INBOX_dunning', logger }
  await using mesh = await connectMesh(least)
  await mesh.publish(paymentOverdue, { orderId: 'o-1' }, { deliverIn: 300 })
  await mesh.publish(paymentOverdue, { orderId: 'o-2' }, { deliverIn: 60_000, delayKey: 'o-2' })
  expect(await mesh.cancelDelayed(paymentOverdue, 'o-2')).toBe(true)
  await mesh.schedule(paymentOverdue, { orderId: 'o-3' }, { name: 'yearly', cron: '@yearly' })
  const jsm = await jetstreamManager(admin.nats)
  await eventually(async () => expect((await jsm.streams.info(payments.name)).state.messages).toBe(1))
  expect(await whatWaits(mesh)).toEqual(['payment.overdue yearly: @yearly'])
  expect(refused).toEqual([])
  await expect(mesh.publish(reportDue, { of: 'x' }, { deliverIn: 300 })).rejects.toMatchObject({
    message: expect.stringContaining('delay_report_due') as string,
  })
})

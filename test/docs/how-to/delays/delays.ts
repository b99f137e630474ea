import { type Delayed, defineService, type Mesh, minutes, on, type Published, type ServiceDef } from '@malha/mesh'
import { paymentAsked, paymentCame, paymentOverdue, reportDue } from './contracts.ts'

// #region later
/** Reminds of an order that nobody has paid in half an hour. */
export async function remindLater(mesh: Mesh, orderId: string): Promise<Published> {
  return await mesh.publish(paymentOverdue, { orderId }, { deliverIn: minutes(30), delayKey: orderId })
}
// #endregion

// #region cancel
/** It was paid. `false`: too late, the reminder comes or came. */
export async function forget(mesh: Mesh, orderId: string): Promise<boolean> {
  return await mesh.cancelDelayed(paymentOverdue, orderId)
}
// #endregion

// #region handler
/** Asks for the payment, and when it does not come in time, says so. */
export const dunning = (mesh: Mesh, withinMs: number): ServiceDef =>
  defineService('dunning', {
    publishes: [paymentOverdue],
    handlers: {
      wait: on(paymentAsked, { startFrom: 'all' }, ({ orderId }, ctx) => {
        ctx.publish(paymentOverdue, { orderId }, { deliverIn: withinMs, delayKey: orderId })
      }),
      stopWaiting: on(paymentCame, { startFrom: 'all' }, async ({ orderId }) => {
        await mesh.cancelDelayed(paymentOverdue, orderId)
      }),
    },
  })
// #endregion

// #region recurring
/** A report each working day at eight in Lisbon, and a look around every minute. */
export async function scheduleReports(mesh: Mesh): Promise<void> {
  const timeZone = 'Europe/Lisbon'
  await mesh.schedule(reportDue, { of: 'sales' }, { name: 'daily sales', cron: '0 8 * * MON-FRI', timeZone })
  await mesh.schedule(reportDue, { of: 'stock' }, { name: 'stock', everyMs: minutes(1) })
}
// #endregion

// #region list
/** What waits, a line each. */
export async function whatWaits(mesh: Mesh): Promise<string[]> {
  const waiting: Delayed[] = await mesh.delayed()
  return waiting.map((one) =>
    one.kind === 'once'
      ? `${one.type} ${one.delayKey ?? one.id} until ${one.until.toISOString()}`
      : `${one.type} ${one.name}: ${one.schedule}${one.timeZone === undefined ? '' : ` in ${one.timeZone}`}`,
  )
}
// #endregion

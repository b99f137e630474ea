import { days, defineService, type HandlerDef, on, responseError, type ServiceDef } from '@malha/mesh'
import { orderBilled, orderPlaced, stockReserved } from './order-contracts.ts'

export type CallBank = (orderId: string, cents: number, signal: AbortSignal) => Promise<Response>

// #region once
/** Whatever runs again, an order is billed once, and its stock is reserved with it. */
export const bill: HandlerDef = on(orderPlaced, { startFrom: 'all', effects: 'once' }, (order, ctx) => {
  ctx.publish(orderBilled, order)
  ctx.publish(stockReserved, order)
})
// #endregion

// #region inbox
/** The bank knows no idempotency keys, so an order that was charged is not charged again. */
export function charge(bank: CallBank): HandlerDef {
  return on(orderPlaced, { startFrom: 'all', inbox: { keepMs: days(7) } }, async (order, ctx) => {
    const answer = await bank(order.orderId, order.cents, ctx.signal)
    if (!answer.ok) throw responseError(answer)
  })
}
// #endregion

export const billing = (bank: CallBank): ServiceDef =>
  defineService('billing', { handlers: { bill, charge: charge(bank) }, publishes: [orderBilled] })

import { defineService, type HandlerDef, on, Reject, type ServiceDef } from '@malha/mesh'
import { type Order, orderBilled, orderPlaced } from './order-contracts.ts'

// #region shadow
/** One function for both: what differs is where it may reach. */
const billWith =
  (price: (order: Order) => number) =>
  (order: Order, ctx: Parameters<HandlerDef['handle']>[1]): void => {
    const cents = price(order)
    if (cents < 0) throw new Reject(`order ${order.orderId} would cost ${cents}`)
    ctx.publish(orderBilled, { ...order, cents })
  }

export const billing = (today: (order: Order) => number, next: (order: Order) => number): ServiceDef =>
  defineService('billing', {
    publishes: [orderBilled],
    handlers: {
      bill: on(orderPlaced, { startFrom: 'all' }, billWith(today)),
      billNext: on(orderPlaced, { shadow: true }, billWith(next)),
    },
  })
// #endregion

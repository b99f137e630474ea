import {
  defineService,
  event,
  type Handler,
  type HandlerOptions,
  on,
  type OrderedHandler,
  type ServiceDef,
  stream,
} from '@malha/mesh'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>'] })
export const bills = stream('BILLS', { subjects: ['bill.>'] })

export type Order = { orderId: string }
export const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ orderId: z.string() }),
  key: ({ orderId }) => orderId,
})
export const billed = event('bill.made', {
  stream: bills,
  schema: z.object({ orderId: z.string() }),
  key: ({ orderId }) => `b-${orderId}`,
})

/** A shop with one handler of orders. */
export function shopWith(bill: Handler<Order>, options: Omit<HandlerOptions, 'order'> = {}): ServiceDef {
  return defineService('shop', { handlers: { bill: on(placed, { startFrom: 'all', ...options }, bill) } })
}

/** The same, which keeps the order of its keys. */
export function orderedShop(bill: OrderedHandler<Order>, options: Omit<HandlerOptions, 'order'> = {}): ServiceDef {
  return defineService('shop', { handlers: { bill: on(placed, { startFrom: 'all', order: 'key', ...options }, bill) } })
}

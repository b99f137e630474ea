import { event, request, stream } from '@malha/mesh'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>'] })
export const orderMoved = event('order.moved', {
  stream: orders,
  schema: z.object({ orderId: z.string(), nth: z.number() }),
  key: ({ orderId }) => orderId,
})
export const bills = stream('BILLS', { subjects: ['bill.>'] })
export const billMade = event('bill.made', {
  stream: bills,
  schema: z.object({ orderId: z.string(), nth: z.number() }),
  key: ({ orderId }) => orderId,
})
export const price = request('price.quote', {
  schema: z.object({ sku: z.string() }),
  reply: z.object({ cents: z.number() }),
  idempotent: true,
})

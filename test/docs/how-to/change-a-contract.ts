import { event, stream } from '@malha/mesh'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'] })

// #region version
const OrderPlaced = z.object({ orderId: z.string(), total: z.object({ amount: z.number(), currency: z.string() }) })

export const orderPlaced = event('order.placed', {
  stream: orders,
  schema: OrderPlaced,
  key: (order) => order.orderId,
  version: 3,
  upcast(data, fromVersion) {
    const old = data as { orderId: string; total: number; currency?: string }
    // Version 1 was sold in one country only.
    const currency = fromVersion === 1 ? 'BRL' : old.currency
    return { orderId: old.orderId, total: { amount: old.total, currency } }
  },
})
// #endregion

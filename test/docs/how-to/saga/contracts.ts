import { command, type Contract, event, hours, seconds, stream } from '@malha/mesh'
import { sagaTimeout, type TimeoutData } from '@malha/patterns'
import { z } from 'zod'

export const Order = z.object({ orderId: z.string(), sku: z.string(), cents: z.number().int() })
export type Order = z.infer<typeof Order>
export const Ref = z.object({ orderId: z.string() })
export type Ref = z.infer<typeof Ref>

export const orders = stream('ORDERS', {
  subjects: ['order.>', 'stock.>', 'payment.>', 'parcel.>'],
  maxAgeMs: hours(24 * 30),
  maxBytes: 256 * 1024 ** 2,
  // Short, so that a test can wait it out.
  duplicateWindowMs: seconds(1),
})
// #region contracts
const base = { stream: orders, schema: Ref, key: (ref: Ref) => ref.orderId }

export const orderPlaced: Contract<Order> = event('order.placed', { ...base, schema: Order })
export const reserveStock: Contract<Order> = command('stock.reserve', { ...base, schema: Order })
export const stockReserved: Contract<Ref> = event('stock.reserved', base)
export const releaseStock: Contract<Ref> = command('stock.release', base)
export const stockReleased: Contract<Ref> = event('stock.released', base)
export const takePayment: Contract<Order> = command('payment.take', { ...base, schema: Order })
export const paymentTaken: Contract<Ref> = event('payment.taken', base)
export const paymentDeclined: Contract<Ref> = event('payment.declined', base)
export const refundPayment: Contract<Ref> = command('payment.refund', base)
export const paymentRefunded: Contract<Ref> = event('payment.refunded', base)
export const shipParcel: Contract<Ref> = command('parcel.ship', base)
export const parcelShipped: Contract<Ref> = event('parcel.shipped', base)
export const orderTimedOut: Contract<TimeoutData> = sagaTimeout('order.timed-out', orders)
// #endregion

import { type Contract, event, hours, stream, type StreamDef } from '@malha/mesh'
import { z } from 'zod'

export const orders: StreamDef = stream('ORDERS', {
  subjects: ['order.>'],
  maxAgeMs: hours(1),
  maxBytes: 64 * 1024 ** 2,
})

const Order = z.object({ orderId: z.string(), n: z.number().int(), note: z.string().optional() })
export type Order = z.infer<typeof Order>

/** Keyed: rows of one order go out in their order. */
export const placed: Contract<Order> = event('order.placed', { stream: orders, schema: Order, key: (o) => o.orderId })
/** Without a key. */
export const viewed: Contract<Order> = event('order.viewed', { stream: orders, schema: Order })

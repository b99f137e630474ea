import { type Contract, event, stream, type StreamDef } from '@malha/mesh'
import { z } from 'zod'

const Order = z.object({ orderId: z.string(), cents: z.int().nonnegative() })
export type Order = z.infer<typeof Order>

export const orders: StreamDef = stream('ORDERS', { subjects: ['order.>', 'stock.>'] })
const ofOrder = { stream: orders, schema: Order, key: ({ orderId }: Order): string => orderId }
export const orderPlaced: Contract<Order> = event('order.placed', ofOrder)
export const orderBilled: Contract<Order> = event('order.billed', ofOrder)
export const stockReserved: Contract<Order> = event('stock.reserved', ofOrder)

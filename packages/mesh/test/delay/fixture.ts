import { event, stream } from '@malha/mesh'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>'] })

export const timedOut = event('order.timed-out', {
  stream: orders,
  schema: z.object({ orderId: z.string() }),
  key: ({ orderId }) => orderId,
})

export const reportDue = event('order.report-due', { stream: orders, schema: z.object({ of: z.string() }) })

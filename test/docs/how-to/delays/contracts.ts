import { type Contract, event, stream, type StreamDef } from '@malha/mesh'
import { z } from 'zod'

export const payments: StreamDef = stream('PAYMENTS', { subjects: ['payment.>', 'report.>'] })

const OfOrder = z.object({ orderId: z.string() })
type OfOrder = z.infer<typeof OfOrder>
const ofOrder = { stream: payments, schema: OfOrder, key: ({ orderId }: OfOrder): string => orderId }
export const paymentAsked: Contract<OfOrder> = event('payment.asked', ofOrder)
export const paymentCame: Contract<OfOrder> = event('payment.came', ofOrder)
export const paymentOverdue: Contract<OfOrder> = event('payment.overdue', ofOrder)

const Report = z.object({ of: z.string() })
export const reportDue: Contract<z.infer<typeof Report>> = event('report.due', { stream: payments, schema: Report })

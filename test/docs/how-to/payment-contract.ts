import { event, stream } from '@malha/mesh'
import { z } from 'zod'

const payments = stream('PAYMENTS', { subjects: ['payment.>'] })

// #region sensitive
const sensitive = { sensitive: true }

export const paymentTaken = event('payment.taken', {
  stream: payments,
  schema: z.object({
    paymentId: z.string(),
    cents: z.int(),
    card: z.string().meta(sensitive),
    customer: z.object({ name: z.string(), taxNumber: z.string().optional().meta(sensitive) }),
  }),
  // Keys are part of subjects, which everybody sees: no secret belongs there.
  key: ({ paymentId }) => paymentId,
})
// #endregion

import { event, stream } from '@malha/mesh'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>'] })
const bills = stream('BILLS', { subjects: ['bill.>'] })

/** `order.placed`: every tenth cannot be billed before the shop is mended. */
export const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ n: z.number() }),
  key: ({ n }) => `o-${n}`,
})
/** What billing an order brought about, and what counting it did. */
export const billed = event('bill.made', {
  stream: bills,
  schema: z.object({ n: z.number() }),
  key: ({ n }) => `o-${n}`,
})
export const counted = event('bill.counted', {
  stream: bills,
  schema: z.object({ n: z.number() }),
  key: ({ n }) => `o-${n}`,
})

import { event, stream } from '@malha/mesh'
import { z } from 'zod'

const moves = stream('MOVES', { subjects: ['order.>'], partitions: 1 })

/** One partition has all orders, so one process has them. */
export const moved = event('order.moved', {
  stream: moves,
  schema: z.object({ order: z.string(), n: z.number() }),
  key: ({ order }) => order,
})

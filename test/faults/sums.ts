import { request } from '@malha/mesh'
import { z } from 'zod'

/** Answered by responder.ts, by its process id. */
export const sum = request('sum.of', {
  schema: z.array(z.number()),
  reply: z.object({ sum: z.number(), by: z.number() }),
})

/** Counts up until it is left or killed. */
export const counting = request('sum.counting', {
  schema: z.object({ everyMs: z.number() }),
  reply: z.object({ n: z.number(), by: z.number() }),
  streaming: true,
})

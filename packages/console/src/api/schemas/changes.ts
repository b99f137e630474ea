import { z } from 'zod'

/** RFC 6902. */
export const Change = z.object({
  op: z.string(),
  path: z.string(),
  from: z.string().optional(),
  value: z.string().optional().describe('As JSON; of a long one its beginning.'),
})
export type Change = z.infer<typeof Change>

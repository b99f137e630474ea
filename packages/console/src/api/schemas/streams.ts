import { z } from 'zod'

export const StreamRow = z
  .object({
    name: z.string(),
    kind: z.string(),
    messages: z.number(),
    bytes: z.number(),
    maxBytes: z.number().nullable(),
    used: z.number().nullable().describe('`bytes` of `maxBytes`, 0 to 1.'),
    discard: z.enum(['new', 'old']).describe('`new`: full, it refuses what is published; `old`: it drops its oldest.'),
    maxAgeMs: z.number().nullable(),
    oldestAt: z.string().nullable(),
    replicas: z.int(),
    leader: z.string().nullable().describe('Null on a server that stands alone, and while there is none.'),
    laggards: z.array(z.string()),
    consumers: z.int(),
    alarms: z.array(z.enum(['size', 'age', 'replicas'])),
    headroom: z
      .object({ durable: z.string(), seq: z.int(), leavesAt: z.string(), leftMs: z.number() })
      .nullable()
      .describe('The oldest message that some handler is not past, and when the stream removes it.'),
    storedPerSecond: z.number().nullable(),
    fullInMs: z.number().nullable().describe('At this rate, if nothing leaves it; null without a rate or a limit.'),
  })
  .meta({ id: 'Stream' })
export type StreamRow = z.infer<typeof StreamRow>

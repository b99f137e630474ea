import { z } from 'zod'
import { perSecond, rates, standing } from './handlers.ts'

export const TopologyView = z
  .object({
    at: z.string(),
    streams: z.array(
      z.object({
        name: z.string(),
        storedPerSecond: z.number().nullable().describe('Of all its subjects together.'),
        used: z.number().nullable(),
        alarms: z.array(z.string()),
      }),
    ),
    subjects: z.array(z.object({ name: z.string(), stream: z.string(), isPattern: z.boolean() })),
    publishes: z
      .array(
        z.object({
          service: z.string(),
          subject: z.string(),
          storedPerSecond: perSecond,
          failedPerSecond: perSecond.describe('Events that could not be stored; null while it is not known.'),
        }),
      )
      .describe('As services declare it, and as their processes count it.'),
    handlers: z.array(
      z.object({
        service: z.string(),
        handler: z.string(),
        hears: z.array(z.string()).describe('Names of subjects.'),
        state: standing,
        reasons: z.array(z.string()),
        ...rates,
        lag: z.number().nullable(),
        oldestMs: z.number().nullable(),
        letters: z.int().describe('Dead letters of it that are open.'),
        instances: z.int(),
      }),
    ),
    missing: z.array(z.string()).describe('What could not be looked at.'),
  })
  .meta({ id: 'Topology' })
export type TopologyView = z.infer<typeof TopologyView>

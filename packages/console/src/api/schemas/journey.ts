import { z } from 'zod'
import { time } from './shared.ts'

export const JourneyQuery = z.strictObject({
  of: z.string().trim().min(1).max(256).describe('A message id, a correlation id, a trace id or a key.'),
})

export const Step = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('event'),
      depth: z.int(),
      at: time,
      title: z.string(),
      key: z.string().nullable(),
      id: z.string().nullable(),
      traceId: z.string().nullable(),
      from: z.string().nullable(),
      where: z.string(),
    }),
    z.object({
      kind: z.literal('handler'),
      depth: z.int(),
      title: z.string(),
      situation: z.string(),
      sentence: z.string(),
    }),
    z.object({
      kind: z.literal('attempt'),
      depth: z.int(),
      at: time,
      title: z.string(),
      code: z.string(),
      message: z.string(),
      nextAttemptAt: z.string().nullable(),
    }),
  ])
  .meta({ id: 'Step' })
export type Step = z.infer<typeof Step>

export const JourneyView = z
  .object({
    as: z.string().nullable().describe('What it was found to be; null: nothing was found.'),
    answer: z.object({ situation: z.string(), sentence: z.string(), next: z.string().nullable() }),
    events: z.int(),
    steps: z.array(Step).describe('The tree, from its root on, each line with its depth.'),
    missing: z.array(z.string()).describe('What could not be looked at.'),
  })
  .meta({ id: 'Journey' })
export type JourneyView = z.infer<typeof JourneyView>

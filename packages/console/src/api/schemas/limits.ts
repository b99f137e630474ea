import { z } from 'zod'
import { StreamRow } from './streams.ts'
import { time } from './shared.ts'

export const LimitsView = z
  .object({
    streams: z.array(StreamRow),
    durables: z
      .array(
        z.object({
          service: z.string(),
          handler: z.string(),
          stream: z.string(),
          durable: z.string(),
          ackPending: z.number(),
          maxAckPending: z.number().nullable(),
        }),
      )
      .describe('What handlers have in hand, of what the server lets them have.'),
    account: z
      .array(
        z.object({ what: z.string(), unit: z.enum(['bytes', 'count']), used: z.number(), most: z.number().nullable() }),
      )
      .describe('Of the JetStream account; null: no limit.'),
    missing: z.array(z.string()).describe('What could not be looked at.'),
  })
  .meta({ id: 'Limits' })
export type LimitsView = z.infer<typeof LimitsView>

const state = z.enum(['ok', 'warn', 'fail'])

export const DiagnosisView = z
  .object({
    at: time,
    state,
    findings: z.array(
      z.object({
        check: z.string(),
        state,
        about: z.string(),
        what: z.string(),
        fix: z.string().nullable().describe('What to do; null where nothing needs to be done.'),
      }),
    ),
  })
  .meta({ id: 'Diagnosis' })
export type DiagnosisView = z.infer<typeof DiagnosisView>

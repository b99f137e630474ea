import { z } from 'zod'
import { LetterRow, LetterSelection } from './letters.ts'
import { time } from './shared.ts'

export const RunView = z
  .object({
    id: z.string(),
    kind: z.string(),
    who: z.string(),
    reason: z.string().nullable(),
    filter: z.record(z.string(), z.unknown()).optional(),
    service: z.string().optional(),
    handler: z.string().optional(),
    from: z.record(z.string(), z.unknown()).optional(),
    shadow: z.boolean().optional(),
    asNew: z.boolean().optional(),
    withheld: z.record(z.string(), z.int()).optional().describe('What a shadow would have published, by type.'),
    waits: z.string().nullish(),
    upTo: z.int().optional(),
    total: z.int(),
    limits: z.record(z.string(), z.number()),
    state: z.string(),
    counts: z.record(z.string(), z.number()),
    beganAt: time,
    movedAt: time,
    worksHere: z.boolean().describe('Whether this console works on it.'),
    gaveUp: z.string().optional().describe('Why this console does not any more.'),
    isUnattended: z.boolean().describe('Nobody has moved it for ten seconds.'),
  })
  .meta({ id: 'Run' })
export type RunView = z.infer<typeof RunView>

export const RunList = z.object({ runs: z.array(RunView) })
export const RunParams = z.object({ id: z.string().max(64) })

export const PlanView = z
  .object({
    total: z.int(),
    upTo: z.int().describe('Send it along to send just what this shows, and nothing written since.'),
    handlers: z.array(z.object({ service: z.string(), handler: z.string(), letters: z.int() })),
    samples: z.array(LetterRow),
  })
  .meta({ id: 'Plan' })
export type PlanView = z.infer<typeof PlanView>

const positive = z.int().min(1).max(1_000_000)

export const RunBounds = z.strictObject({
  perSecond: positive.optional(),
  atOnce: positive.optional(),
  mostRedrives: positive.optional(),
  mostFailures: positive.optional(),
})

export const RedriveBody = z.strictObject({
  filter: LetterSelection,
  reason: z.string().trim().max(500).optional(),
  upTo: z.int().nonnegative().optional().describe('`upTo` of the plan that was looked at.'),
  limits: RunBounds.optional(),
})

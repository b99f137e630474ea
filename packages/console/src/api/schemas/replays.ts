import { z } from 'zod'
import { RunBounds } from './runs.ts'
import { time } from './shared.ts'

const name = z.string().trim().min(1).max(200)
const seq = z.int().positive()
const at = z.iso.datetime({ offset: true }).optional()

/** Which events, to whom. */
export const ReplaySelection = z.strictObject({
  service: name,
  handler: name.describe('One; a shadow handler publishes nothing.'),
  stream: name.optional().describe('As `streams` of the handler names it; needed where it reads several.'),
  archive: z.boolean().optional().describe('From the archive, which has what the stream has forgotten.'),
  epoch: seq
    .optional()
    .describe('Of the archive: events of the stream made at this time, unix seconds. Default: that of now.'),
  fromSeq: seq.optional().describe('Inclusive.'),
  toSeq: seq.optional().describe('Inclusive.'),
  since: at.describe('Stored at or after.'),
  until: at.describe('Stored before.'),
  type: name.optional().describe('One of those that the handler takes. Default: all of them.'),
  key: z.string().max(2000).optional(),
  asNew: z.boolean().optional().describe('As new messages, under ids of their own, with the event as their cause.'),
})
export type ReplaySelection = z.infer<typeof ReplaySelection>

export const ReplayBody = ReplaySelection.extend({
  reason: z.string().trim().max(500).optional(),
  upTo: z.int().nonnegative().optional().describe('`upTo` of the plan that was looked at.'),
  limits: RunBounds.omit({ mostRedrives: true }).optional(),
})

export const ReplayPlanView = z
  .object({
    total: z.int().describe('Exactly so many: they were counted one by one.'),
    upTo: z.int().describe('Send it along to send just what this shows, and nothing stored since.'),
    service: z.string(),
    handler: z.string(),
    stream: z.string(),
    shadow: z.boolean(),
    samples: z
      .array(
        z.object({
          seq: z.int(),
          type: z.string().optional(),
          id: z.string().optional(),
          key: z.string().optional(),
          storedAt: time,
        }),
      )
      .describe('The oldest of them.'),
  })
  .meta({ id: 'ReplayPlan' })
export type ReplayPlanView = z.infer<typeof ReplayPlanView>

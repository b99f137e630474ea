import { z } from 'zod'
import { time } from './shared.ts'

const Breaker = z.object({ state: z.string(), since: z.string().nullable(), probeAt: z.string().nullable() })
const Rate = z.object({ perSecond: z.number(), burst: z.number().optional() })
const Paused = z.object({ until: z.string().nullable(), who: z.string(), reason: z.string(), at: time })

export const HandlerView = z
  .object({
    service: z.string(),
    handler: z.string(),
    source: z.string().describe('Type or topic pattern.'),
    streams: z.array(z.string()),
    isOrdered: z.boolean(),
    isShadow: z.boolean().describe('It takes only what a replay sends to it, and nothing that it publishes is stored.'),
    lag: z
      .object({
        messages: z.number(),
        pending: z.number(),
        ackPending: z.number(),
        redelivered: z.number(),
        oldestMs: z.number(),
        headroomMs: z.number().nullable(),
      })
      .nullable(),
    lane: z.object({ pending: z.number(), ackPending: z.number() }),
    paused: Paused.nullable(),
    fault: z.string().nullable(),
    revision: z.int().describe('Send it along to change what you saw: 409 when somebody changed it since.'),
    breaker: Breaker.nullable(),
    running: z.int().describe('Messages being handled, in all instances that answered.'),
    letters: z.int().describe('Dead letters of it that are open.'),
    instances: z.array(
      z.object({
        instance: z.string(),
        id: z.string(),
        version: z.string(),
        startedAt: z.string(),
        denied: z.string().nullable(),
        fault: z.string().nullable(),
        concurrency: z.int(),
        rateLimit: Rate.nullable(),
        running: z.int(),
        retrying: z.int(),
        leaked: z.int(),
        breaker: Breaker,
        delayedUntil: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Handler' })
export type HandlerView = z.infer<typeof HandlerView>

export const HandlerList = z.object({ handlers: z.array(HandlerView) })
export const HandlerParams = z.object({ service: z.string().max(200), handler: z.string().max(200) })

const seen = z.int().nonnegative().optional().describe('`revision` of the handler you saw.')

export const PauseBody = z.strictObject({
  reason: z.string().trim().min(1, 'say why: others will read it').max(500),
  forMs: z.number().positive().optional().describe('For so long; without it, until it is resumed.'),
  revision: seen,
})
export const ResumeBody = z.strictObject({ reason: z.string().trim().max(500).optional(), revision: seen }).nullish()
export const LimitsBody = z.strictObject({
  concurrency: z.union([z.int().min(1).max(10_000), z.literal('declared')]).optional(),
  perSecond: z
    .union([z.number().positive().max(1_000_000), z.enum(['none', 'declared'])])
    .optional()
    .describe('In each process.'),
  reason: z.string().trim().max(500).optional(),
  revision: seen,
})

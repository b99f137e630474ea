import { z } from 'zod'
import { time } from './shared.ts'
import { StreamRow } from './streams.ts'

const Breaker = z.object({ state: z.string(), since: z.string().nullable(), probeAt: z.string().nullable() })
const Rate = z.object({ perSecond: z.number(), burst: z.number().optional() })
const Durable = z.object({
  stream: z.string(),
  durable: z.string(),
  ackWaitMs: z.number(),
  maxAckPending: z.number().nullable().describe('Delivered and not acknowledged, at most.'),
  maxDeliver: z.number().nullable(),
  ackPending: z.number(),
  leader: z.string().nullable().describe('Null where one server stands alone, or there is none.'),
})
export const standing = z
  .enum(['failing', 'paused', 'behind', 'runs'])
  .describe('`failing`: somebody should look; `behind`: it has work and does it.')
export const perSecond = z
  .number()
  .nullable()
  .describe('Null while it is not known: looked at once, or its processes do not say.')
export const rates = { donePerSecond: perSecond, failedPerSecond: perSecond }
const Paused = z.object({ until: z.string().nullable(), who: z.string(), reason: z.string(), at: time })

const column = z.array(z.number().nullable())

export const HandlerView = z
  .object({
    service: z.string(),
    handler: z.string(),
    source: z.string().describe('Type or topic pattern.'),
    streams: z.array(z.string()),
    isOrdered: z.boolean(),
    isShadow: z.boolean().describe('It takes only what a replay sends to it, and nothing that it publishes is stored.'),
    durables: z.array(Durable),
    state: standing,
    reasons: z.array(z.string()),
    ...rates,
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
    heldKeys: z.number().nullable().describe('Keys that a dead letter holds; null where no process says.'),
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
        declared: z.object({ concurrency: z.int(), rateLimit: Rate.nullable() }).optional(),
        retry: z
          .object({
            timeoutMs: z.number(),
            attempts: z.number().nullable(),
            forMs: z.number().nullable(),
            maxDelayMs: z.number(),
          })
          .optional()
          .describe('Null: no end; absent where the process does not say.'),
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

export const HandlerPageView = z
  .object({
    handler: HandlerView,
    streams: z.array(StreamRow).describe('Those that its events are in.'),
    charts: z
      .object({
        atMs: z.array(z.number()).describe('Unix ms; the columns below have a value for each.'),
        lag: column,
        oldestSeconds: column,
        donePerSecond: column,
        failedPerSecond: column,
      })
      .describe('What was seen in the last five minutes, while somebody watched.'),
    missing: z.array(z.string()),
  })
  .meta({ id: 'HandlerPage' })
export type HandlerPageView = z.infer<typeof HandlerPageView>

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

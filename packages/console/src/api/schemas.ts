import { z } from 'zod'

const time = z.string().describe('RFC 3339')

export const ProblemView = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable; docs/reference/errors.md has a section for each.'),
    detail: z.string().describe('What happened, to what.'),
    fix: z.string().describe('What to do next.'),
    faults: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' })
export type ProblemView = z.infer<typeof ProblemView>

export const SessionView = z
  .object({
    signsIn: z.boolean().describe('Whether this console wants a token.'),
    actor: z.object({ name: z.string(), role: z.enum(['viewer', 'operator', 'admin']) }).nullable(),
    namespace: z.string().nullable(),
    server: z.string().nullable(),
    hasArchive: z.boolean(),
    jaegerUrl: z.string().nullable(),
  })
  .meta({ id: 'Session' })
export type SessionView = z.infer<typeof SessionView>

const state = z.enum(['open', 'redriven', 'resolved', 'late', 'discarded'])
const kind = z.enum(['message', 'expired', 'spooled'])
const seqs = z.array(z.int().positive()).min(1).max(1000).describe('Just these letters.')

/** Which letters, without how many: what a redrive takes too. */
export const LetterSelection = z.strictObject({
  service: z.string().max(200).optional(),
  handler: z.string().max(200).optional(),
  code: z.string().max(200).optional(),
  group: z.string().max(64).optional(),
  id: z.string().max(2000).optional().describe('`ce-id` of the event.'),
  key: z.string().max(2000).optional(),
  since: z.iso.datetime({ offset: true }).optional().describe('Written at or after.'),
  until: z.iso.datetime({ offset: true }).optional().describe('Written before.'),
  letters: seqs.optional(),
})
export type LetterSelection = z.infer<typeof LetterSelection>

export const LetterQuery = LetterSelection.omit({ letters: true }).extend({
  state: state.optional(),
  kind: kind.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z.coerce.number().int().positive().optional().describe('`next` of the page before.'),
})

export const LetterRow = z
  .object({
    seq: z.int(),
    subject: z.string(),
    kind,
    at: time,
    code: z.string(),
    reason: z.string(),
    errorClass: z.string().nullish(),
    group: z.string(),
    groupReason: z.string(),
    service: z.string().nullish(),
    handler: z.string().nullish(),
    serviceVersion: z.string().nullish(),
    attempts: z.int(),
    attemptTimes: z.array(z.string()),
    origin: z.object({
      stream: z.string(),
      epoch: z.number().nullish(),
      seq: z.string(),
      subject: z.string(),
      publishedAt: z.string().nullish(),
    }),
    id: z.string().nullish(),
    type: z.string().nullish(),
    key: z.string().nullish(),
    correlationId: z.string().nullish(),
    traceId: z.string().nullish(),
    payloadBytes: z.int(),
    state,
    recordSeq: z.int().describe('Of the last that was done with it; send it along to decide on what you saw.'),
    run: z.string().nullish(),
    redrives: z.int(),
  })
  .meta({ id: 'Letter' })
export type LetterRow = z.infer<typeof LetterRow>

export const GroupRow = z
  .object({
    group: z.string(),
    service: z.string().nullish(),
    handler: z.string().nullish(),
    code: z.string(),
    errorClass: z.string().nullish(),
    reason: z.string(),
    letters: z.int(),
    firstAt: time,
    lastAt: time,
  })
  .meta({ id: 'Group' })
export type GroupRow = z.infer<typeof GroupRow>

const AsOf = z.union([
  z.object({ state: z.literal('current') }),
  z.object({ state: z.literal('reading'), until: z.int() }),
  z.object({ state: z.literal('behind'), since: time, detail: z.string() }),
])

export const Counts = z.object({
  open: z.int(),
  redriven: z.int(),
  resolved: z.int(),
  late: z.int(),
  discarded: z.int(),
})

export const LetterPageView = z
  .object({
    letters: z.array(LetterRow).describe('The newest first.'),
    groups: z.array(GroupRow).describe('The largest first, 100 at most, of all that fit.'),
    total: z.int(),
    counts: Counts.describe('Of all letters, whatever was asked for.'),
    next: z.int().nullable(),
    asOf: AsOf,
  })
  .meta({ id: 'LetterPage' })
export type LetterPageView = z.infer<typeof LetterPageView>

export const PayloadView = z
  .object({
    bytes: z.int(),
    form: z.enum(['json', 'text', 'binary', 'empty', 'left-out', 'expired']),
    text: z
      .string()
      .optional()
      .describe('Of text, its beginning; of JSON, with line breaks; of binary, a dump in hex.'),
    isCut: z.boolean().describe('Whether there is more than is shown; /payload has all.'),
  })
  .meta({ id: 'Payload' })
export type PayloadView = z.infer<typeof PayloadView>

export const HistoryRow = z.object({
  kind: z.string(),
  at: time,
  who: z.string().optional(),
  reason: z.string().optional(),
  run: z.string().optional(),
  attempts: z.int().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
})

export const WholeLetterView = LetterRow.extend({
  stack: z.string().nullish(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  payload: PayloadView,
  history: z.array(HistoryRow),
}).meta({ id: 'WholeLetter' })
export type WholeLetterView = z.infer<typeof WholeLetterView>

export const SeqParams = z.object({ seq: z.coerce.number().int().positive() })

export const Decision = z.strictObject({
  reason: z.string().trim().min(1, 'say why: others will read it').max(500),
  seen: z.int().nonnegative().optional().describe('`recordSeq` of the letter you saw: 409 when it has changed since.'),
})

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

const text = z.string().max(2000).optional()

export const EventSelection = z.strictObject({
  id: text.describe('`ce-id`.'),
  key: text,
  type: text.describe('`ce-type`, whole.'),
  trace: text,
  correlation: text,
  stream: text.describe('Full name on the server.'),
  since: z.iso.datetime({ offset: true }).optional().describe('Stored at or after.'),
  until: z.iso.datetime({ offset: true }).optional().describe('Stored before.'),
})
export const EventQuery = EventSelection.extend({ limit: z.coerce.number().int().min(1).max(200).default(50) })
export const ExportQuery = EventSelection.extend({
  limit: z.coerce.number().int().min(1).max(100_000).default(10_000),
})

export const EventView = z
  .object({
    stream: z.string(),
    epoch: z.number(),
    seq: z.number(),
    subject: z.string(),
    id: z.string(),
    type: z.string(),
    key: z.string().nullable(),
    producer: z.string(),
    correlationId: z.string(),
    causationId: z.string(),
    traceId: z.string(),
    occurredAt: z.string(),
    publishedAt: z.string(),
    archivedAt: z.string(),
    headers: z.array(z.tuple([z.string(), z.string()])),
    payload: PayloadView,
  })
  .meta({ id: 'Event' })
export type EventView = z.infer<typeof EventView>

export const EventList = z.object({ events: z.array(EventView).describe('The newest first.'), isMore: z.boolean() })
export type EventList = z.infer<typeof EventList>

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

export const AuditQuery = z.strictObject({
  who: text,
  action: text,
  target: text,
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z.coerce.number().int().positive().optional(),
})

export const AuditRow = z
  .object({
    seq: z.int(),
    act: z.string(),
    action: z.string(),
    who: z.string(),
    from: z.string(),
    target: z.string(),
    before: z.unknown(),
    after: z.unknown(),
    reason: z.string().nullable(),
    at: time,
    storedAt: time,
    outcome: z.string(),
    fault: z.string().nullable(),
  })
  .meta({ id: 'Act' })

export const AuditPage = z.object({
  acts: z.array(AuditRow).describe('The newest first.'),
  unreadable: z.int().describe('Messages met that are no entries.'),
  next: z.int().nullable(),
})
export type AuditPage = z.infer<typeof AuditPage>

/** Why; may be left out, with the whole body. */
export const Because = z.strictObject({ reason: z.string().trim().max(500).optional() }).nullish()

const positive = z.int().min(1).max(1_000_000)

export const RedriveBody = z.strictObject({
  filter: LetterSelection,
  reason: z.string().trim().max(500).optional(),
  upTo: z.int().nonnegative().optional().describe('`upTo` of the plan that was looked at.'),
  limits: z
    .strictObject({
      perSecond: positive.optional(),
      atOnce: positive.optional(),
      mostRedrives: positive.optional(),
      mostFailures: positive.optional(),
    })
    .optional(),
})

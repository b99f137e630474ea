import { z } from 'zod'
import { Change } from './changes.ts'
import { PayloadView, time } from './shared.ts'

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

export const HistoryRow = z.object({
  kind: z.string(),
  at: time,
  who: z.string().optional(),
  reason: z.string().optional(),
  run: z.string().optional(),
  attempts: z.int().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  changes: z.array(Change).optional().describe('Of a correction.'),
})

export type HistoryRow = z.infer<typeof HistoryRow>

export const WholeLetterView = LetterRow.extend({
  stack: z.string().nullish(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  payload: PayloadView,
  holdsKey: z
    .boolean()
    .nullable()
    .describe('Whether later events of its key wait for it; null where the console may not know.'),
  history: z.array(HistoryRow),
}).meta({ id: 'WholeLetter' })
export type WholeLetterView = z.infer<typeof WholeLetterView>

export const SeqParams = z.object({ seq: z.coerce.number().int().positive() })

export const Decision = z.strictObject({
  reason: z.string().trim().min(1, 'say why: others will read it').max(500),
  seen: z.int().nonnegative().optional().describe('`recordSeq` of the letter you saw: 409 when it has changed since.'),
})

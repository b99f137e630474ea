import { z } from 'zod'
import { PayloadView, text } from './shared.ts'

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

import { z } from 'zod'
import { text, time } from './shared.ts'

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

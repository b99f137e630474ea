import { z } from 'zod'

/** A type that the services of the mesh know, without its schema. */
export const ContractRow = z
  .object({
    type: z.string(),
    kind: z.enum(['event', 'command', 'request']),
    version: z.int(),
    stream: z.string().nullable(),
    handledBy: z.array(z.string()),
    publishedBy: z.array(z.string()),
    unfit: z.string().nullable().describe('Why none can be sent by hand; null: it can.'),
  })
  .meta({ id: 'ContractRow' })
export type ContractRow = z.infer<typeof ContractRow>

export const ContractList = z.object({ contracts: z.array(ContractRow).describe('By type.') })
export type ContractList = z.infer<typeof ContractList>

export const ContractParams = z.object({ type: z.string().max(200) })

export const ContractView = ContractRow.extend({
  key: z.string().nullable().describe('In words, such as `{orderId}`; null without one.'),
  isKeyAsked: z.boolean().describe('Only code computes the key, so it has to be said.'),
  priorities: z.boolean(),
  schema: z
    .unknown()
    .describe('JSON Schema, draft 2020-12. Where services disagree, that of the first; all are checked.'),
}).meta({ id: 'Contract' })
export type ContractView = z.infer<typeof ContractView>

export const EventBody = z.strictObject({
  type: z.string().min(1).max(200),
  data: z.unknown().describe('The payload, as JSON.'),
  key: z.string().min(1).max(2000).optional().describe('Where only code computes it.'),
  id: z.string().trim().min(1).max(256).optional().describe('Its identity: a second one under it stores nothing.'),
  deliverInMs: z.int().positive().optional().describe('It comes this much later.'),
  priority: z.enum(['high', 'normal', 'low']).optional(),
  once: z.boolean().optional().describe('Only if its stream holds none of this type and key.'),
  reason: z.string().trim().max(500).optional(),
})
export type EventBody = z.infer<typeof EventBody>

export const SentEvent = z
  .object({
    type: z.string(),
    version: z.int(),
    id: z.string(),
    key: z.string().nullable(),
    subject: z.string(),
    stream: z.string(),
    seq: z.int().nullable().describe('Null of one that was only checked.'),
    duplicate: z.boolean().describe('It was stored before, under the same id.'),
    waitsUntil: z.string().nullable(),
  })
  .meta({ id: 'SentEvent' })
export type SentEvent = z.infer<typeof SentEvent>

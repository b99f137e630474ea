import { defineService, event, on, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'
import { HOSTILE } from './scene.ts'

type Box = { name: string; inner?: Box[] | undefined }
const Box: z.ZodType<Box> = z.object({
  name: z.string(),
  get inner() {
    return z.array(Box).optional()
  },
})

/** A contract with fields of every kind, of somebody who means no good. */
const packed = event('parcel.packed', {
  stream: stream('PARCELS', { subjects: ['parcel.>'] }),
  schema: z.object({
    parcel: z.string().min(1).describe(HOSTILE),
    weight: z.number().positive(),
    size: z.enum(['small', 'large', HOSTILE]),
    fragile: z.boolean().optional(),
    note: z.string().nullable().default(null),
    packedAt: z.iso.datetime().optional(),
    lines: z.array(z.object({ sku: z.string(), count: z.int() })),
    to: z.union([
      z.object({ by: z.literal('pickup'), shop: z.string() }),
      z.object({ by: z.literal('post'), address: z.string() }),
    ]),
    place: z.tuple([z.number(), z.number()]).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    box: Box.optional(),
    [HOSTILE]: z.string().optional(),
  }),
  key: ({ parcel }) => parcel,
})

export const parcels = (): ServiceDef =>
  defineService('parcels', { handlers: { ship: on(packed, { startFrom: 'all' }, () => undefined) } })

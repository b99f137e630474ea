import { days, event, stream, type StreamDef } from '@malha/mesh'
import { z } from 'zod'

export const welcomes: StreamDef = stream('WELCOMES', { subjects: ['welcome.>'], maxAgeMs: days(30) })

export const welcomeSent = event('welcome.sent', {
  stream: welcomes,
  schema: z.strictObject({ centerId: z.string() }),
  key: (data) => data.centerId,
})

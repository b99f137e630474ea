import { z } from 'zod'

export const SessionView = z
  .object({
    signsIn: z.boolean().describe('Whether this console wants a token.'),
    actor: z.object({ name: z.string(), role: z.enum(['viewer', 'operator', 'admin']) }).nullable(),
    namespace: z.string().nullable(),
    server: z.string().nullable(),
    hasArchive: z.boolean(),
    sendsEvents: z.boolean().describe('Whether operators may send events by hand here.'),
    jaegerUrl: z.string().nullable(),
    tracesUrl: z.string().nullable().describe('Where a journey reads spans; it need not be Jaeger.'),
  })
  .meta({ id: 'Session' })
export type SessionView = z.infer<typeof SessionView>

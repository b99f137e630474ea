import { z } from 'zod'

export const SessionView = z
  .object({
    signsIn: z.boolean().describe('Whether one must sign in here.'),
    takesTokens: z.boolean().describe('Whether one may with a token.'),
    issuer: z
      .object({ host: z.string(), awaySince: z.string().nullable().describe('RFC 3339; null when it answers.') })
      .nullable()
      .describe('Of OpenID Connect, where one may sign in by it: GET /api/session/oidc leads there.'),
    signOutUrl: z.string().nullable().describe('After signing out: where the issuer ends its own session.'),
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

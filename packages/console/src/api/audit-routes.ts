import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ApiDeps } from './deps.ts'
import { AuditPage, AuditQuery } from './schemas/audit.ts'
import { ProblemView } from './schemas/shared.ts'

/** Who did what to this mesh. */
export function auditRoutes(app: FastifyInstance, { operations }: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/audit',
    {
      schema: {
        summary: 'Who did what, from where and why, the newest first',
        tags: ['audit'],
        querystring: AuditQuery,
        response: { 200: AuditPage, '4xx': ProblemView },
      },
    },
    async ({ query }) => {
      const { acts, unreadable, next = null } = await operations.audit.list(query)
      return { acts: [...acts], unreadable, next }
    },
  )
}

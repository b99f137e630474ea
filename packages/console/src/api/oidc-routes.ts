import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { cookieFor } from '../access/guard.ts'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import { ProblemView } from './schemas/shared.ts'

const BEGINS_A_MINUTE = 60
const PATH = '/api/session/oidc'

/** The ways to the issuer and back. A browser follows them: whatever goes wrong ends on a page that says so. */
export function oidcRoutes(app: FastifyInstance, { options, guard }: ApiDeps): void {
  const { signIn } = guard
  if (!signIn || !options.oidc) return
  const { sessionMs } = options.oidc
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const cookie = `${guard.cookie}-sign-in`
  routes.get(
    '/session/oidc',
    {
      config: { needs: 'nobody', worksAway: true, rateLimit: { max: BEGINS_A_MINUTE, timeWindow: 60_000 } },
      schema: {
        summary: 'Sign in by OpenID Connect: leads to the issuer',
        tags: ['session'],
        querystring: z.strictObject({ to: z.string().max(2000).default('/').describe('The page to come back to.') }),
        response: { 302: z.any(), '4xx': ProblemView },
      },
    },
    async (request, reply) => {
      try {
        const { url, secret } = await signIn.begin(request.query.to)
        // The issuer's page leads back here from another site: a strict cookie would not come along.
        const lax = { ...cookieFor(request, options), path: PATH, sameSite: 'lax' } as const
        return await reply.setCookie(cookie, secret, lax).redirect(url, 302)
      } catch (error) {
        return await reply.redirect(refusedPage(error), 302)
      }
    },
  )
  routes.get(
    '/session/oidc/callback',
    { config: { needs: 'nobody', worksAway: true }, schema: { hide: true } },
    async (request, reply) => {
      void reply.clearCookie(cookie, { path: PATH })
      try {
        const { actor, to } = await signIn.finish(new URL(request.url, 'http://console'), request.cookies[cookie])
        const secret = guard.sessions.begin({ actor }, sessionMs)
        return await reply.setCookie(guard.cookie, secret, cookieFor(request, options)).redirect(to, 303)
      } catch (error) {
        return await reply.redirect(refusedPage(error), 303)
      }
    },
  )
}

function refusedPage(error: unknown): string {
  if (error instanceof ConsoleError) return `/sign-in?refused=${error.code}`
  throw error
}

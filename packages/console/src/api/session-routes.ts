import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { hash } from 'node:crypto'
import { z } from 'zod'
import { type Actor, cookieFor } from '../access/guard.ts'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import { oidcRoutes } from './oidc-routes.ts'
import { SessionView } from './schemas/session.ts'
import { ProblemView } from './schemas/shared.ts'

const TRIES_A_MINUTE = 10

/** Who somebody is here, signing in and out. */
export async function sessionRoutes(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  const { options, guard } = deps
  await app.register(rateLimit, { global: false })
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const sessionOf = (actor: Actor | undefined): SessionView => ({
    signsIn: guard.signsIn,
    takesTokens: guard.tokens !== undefined,
    issuer: guard.provider
      ? { host: new URL(guard.provider.options.issuer).host, awaySince: guard.provider.awaySince ?? null }
      : null,
    signOutUrl: null,
    actor: actor ? { name: actor.name, role: actor.role } : null,
    namespace: actor ? options.mesh.names.namespace || null : null,
    server: actor ? options.mesh.nats.getServer() : null,
    hasArchive: options.clickhouse !== undefined,
    sendsEvents: options.sendsEvents,
    jaegerUrl: options.jaegerUrl?.replace(/\/+$/, '') ?? null,
    tracesUrl: (options.tracesUrl ?? options.jaegerUrl)?.replace(/\/+$/, '') ?? null,
  })
  routes.get(
    '/session',
    {
      config: { needs: 'nobody', worksAway: true },
      schema: { summary: 'Who I am here', tags: ['session'], response: { 200: SessionView } },
    },
    ({ actor }) => sessionOf(actor),
  )
  routes.post(
    '/session',
    {
      config: { needs: 'nobody', worksAway: true, rateLimit: { max: TRIES_A_MINUTE, timeWindow: 60_000 } },
      schema: {
        summary: 'Sign in with a token',
        tags: ['session'],
        body: z.strictObject({ token: z.string().min(1).max(512) }),
        response: { 200: SessionView, '4xx': ProblemView },
      },
    },
    async (request, reply) => {
      const token = request.body.token.trim()
      const entry = await guard.tokens?.find(token)
      if (!entry) throw new ConsoleError('CONSOLE_SIGN_IN', 'this token is not known here')
      const secret = guard.sessions.begin({ sha256: hash('sha256', token, 'hex') })
      return await reply.setCookie(guard.cookie, secret, cookieFor(request, options)).send(sessionOf(entry))
    },
  )
  routes.delete(
    '/session',
    {
      config: { needs: 'nobody', worksAway: true },
      schema: { summary: 'Sign out', tags: ['session'], response: { 200: SessionView } },
    },
    async (request, reply) => {
      const secret = request.cookies[guard.cookie]
      const session = secret === undefined ? undefined : guard.sessions.find(secret)
      if (secret !== undefined) guard.sessions.end(secret)
      const signOutUrl = session && 'actor' in session ? (guard.signIn?.endUrl() ?? null) : null
      return await reply
        .clearCookie(guard.cookie, cookieFor(request, options))
        .send({ ...sessionOf(guard.signsIn ? undefined : request.actor), signOutUrl })
    },
  )
  oidcRoutes(app, deps)
}

import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { hash } from 'node:crypto'
import { z } from 'zod'
import type { Actor } from '../access/guard.ts'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import { SessionView } from './schemas/session.ts'
import { ProblemView } from './schemas/shared.ts'

const TRIES_A_MINUTE = 10

/** Who somebody is here, signing in and out. */
export async function sessionRoutes(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  const { options, guard } = deps
  await app.register(rateLimit, { global: false })
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const sessionOf = (actor: Actor | undefined): SessionView => ({
    signsIn: guard.tokens !== undefined,
    actor: actor ? { name: actor.name, role: actor.role } : null,
    namespace: actor ? options.mesh.names.namespace || null : null,
    server: actor ? options.mesh.nats.getServer() : null,
    hasArchive: options.clickhouse !== undefined,
    sendsEvents: options.sendsEvents,
    jaegerUrl: options.jaegerUrl?.replace(/\/+$/, '') ?? null,
    tracesUrl: (options.tracesUrl ?? options.jaegerUrl)?.replace(/\/+$/, '') ?? null,
  })
  const cookie = (request: FastifyRequest) =>
    ({
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: (options.origin ?? request.protocol).startsWith('https'),
    }) as const
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
      const secret = guard.sessions.begin(hash('sha256', token, 'hex'))
      return await reply.setCookie(guard.cookie, secret, cookie(request)).send(sessionOf(entry))
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
      if (secret !== undefined) guard.sessions.end(secret)
      return await reply
        .clearCookie(guard.cookie, cookie(request))
        .send(sessionOf(guard.tokens ? undefined : request.actor))
    },
  )
}

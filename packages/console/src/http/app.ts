import { createRequire } from 'node:module'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { addGuard, type Doors, type Guard } from '../access/guard.ts'
import { ConsoleError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { PageFile } from '../page/page-files.ts'
import { problemOf } from './problem.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

export type AppParts = {
  options: ResolvedOptions
  doors: Doors
  page: ReadonlyMap<string, PageFile>
  /** Adds the routes below `/api`. */
  declare: (api: FastifyInstance, guard: Guard) => Promise<void>
}

const BODY_LIMIT = 2 * 1024 ** 2

/** The HTTP server of the console, not listening yet. */
export async function buildApp({ options, doors, page, declare }: AppParts): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: 30_000,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: (error, _request, reply) => void sendProblem(error, reply),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((err, request, reply) => {
    const { status } = problemOf(err)
    if (status >= 500)
      options.log[status === 503 ? 'warn' : 'error']({ err, url: shownUrl(request.url) }, 'a request failed')
    return sendProblem(err, reply)
  })
  app.setNotFoundHandler({}, (request, reply) => {
    // What is a state of the page has its address, and no file.
    const shell = page.get('/index.html')
    const isPage = /^(GET|HEAD)$/.test(request.method) && !/^\/(api|assets)\//.test(request.url)
    if (isPage && shell) return sendPage(shell, reply)
    return sendProblem(new ConsoleError('CONSOLE_UNKNOWN_PATH', 'there is nothing here'), reply)
  })
  await app.register(cookie)
  await app.register(helmet, HEADERS)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Malha console',
        version,
        description:
          'What the page of the console does, for programs: dead letters, runs, the archive. Every answer that is no success is a problem (RFC 9457) with a stable code and what to do.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  })
  const guard = addGuard(app, doors, options)
  await app.register(
    async (api) => {
      api.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'))
      await declare(api, guard)
      api.get('/openapi.json', { config: { needs: 'nobody', worksAway: true }, schema: { hide: true } }, () =>
        app.swagger(),
      )
    },
    { prefix: '/api' },
  )
  for (const [path, file] of page)
    if (path !== '/index.html')
      app.get(path, { config: { needs: 'nobody' }, schema: { hide: true } }, (_request, reply) => sendPage(file, reply))
  return app
}

/** Codes of sign-ins are in the query. */
const shownUrl = (url: string): string => (url.startsWith('/api/session') ? url.split('?', 1)[0]! : url)

/** No script, style or connection but the console's own; no frame around it; no address given to others. */
const HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'", 'data:'],
      'connect-src': ["'self'"],
      'form-action': ["'self'"],
      'base-uri': ["'none'"],
      'frame-ancestors': ["'none'"],
      'require-trusted-types-for': ["'script'"],
    },
  },
  // On this machine it is plain HTTP; what terminates TLS says this for its own name.
  strictTransportSecurity: false,
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
} as const

function sendPage({ type, body, etag, isForGood }: PageFile, reply: FastifyReply): FastifyReply {
  void reply.headers({ etag, 'cache-control': isForGood ? 'public, max-age=31536000, immutable' : 'no-cache' })
  if (reply.request.headers['if-none-match'] === etag) return reply.code(304).send()
  return reply.code(200).type(type).send(body)
}

function sendProblem(error: unknown, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error)
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem)
}

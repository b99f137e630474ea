import type { Socket } from 'node:net'
import { json, noMetrics, silentLogger, type Logger, type Metrics } from '@malha/mesh'
import { traceIdOfRequest, traceRequests } from '@malha/telemetry'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Centers } from '../centers.ts'
import { openApiDocument } from './openapi.ts'
import { Problem, problemBody, toProblem, type ProblemKind } from './problem.ts'
import { centerRoutes } from './routes.ts'
import { schemaController } from './schema-compilers.ts'

export type AppOptions = {
  centers: Centers
  /** @default none */
  logger?: Logger
  /** @default none */
  metrics?: Metrics
  /** In the OpenAPI document. @default '0.0.0' */
  version?: string
}

const BODY_LIMIT = 64 * 1024

/** The HTTP API, not listening yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const logger = options.logger ?? silentLogger
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: 30_000,
    clientErrorHandler: refuseUnparsable,
    frameworkErrors: (error, request, reply) => void sendProblem(toProblem(error), request, reply),
    // What came before the close is answered, also on a connection that is kept.
    return503OnClosing: false,
    schemaController,
  })
  readJson(app)
  traceRequests(app, { metrics: options.metrics ?? noMetrics })
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) logProblem(logger, problem, request)
    return sendProblem(problem, request, reply)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      new Problem('unknown-path', 'There is nothing here. /openapi.json lists what there is.'),
      request,
      reply,
    ),
  )
  const declare = (routes: FastifyInstance): void => centerRoutes(routes, options.centers)
  let document: ReturnType<typeof openApiDocument> | undefined
  await app.register(async (routes) => {
    declare(routes)
    routes.get('/openapi.json', { schema: { hide: true } }, () => {
      document ??= openApiDocument(declare, options.version ?? '0.0.0')
      return document
    })
  })
  return app
}

/** JSON in UTF-8 and nothing else; bytes that are not UTF-8 are refused, where the default parser would replace them. */
function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/json\s*(;|$)/i, { parseAs: 'buffer' }, (_request, body: Buffer, done) => {
    try {
      done(null, json.decode(body))
    } catch (cause) {
      done(new Problem('malformed-body', 'The body is not JSON in UTF-8. Correct its syntax.', { cause }))
    }
  })
}

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header('content-type', 'application/problem+json')
    .serializer(JSON.stringify)
    .send(problemBody(problem, traceIdOfRequest(request)))
}

function logProblem(logger: Logger, problem: Problem, request: FastifyRequest): void {
  const fields = {
    method: request.method,
    url: request.url,
    traceId: traceIdOfRequest(request),
    err: problem.cause ?? problem,
  }
  if (problem.kind === 'internal') logger.error(fields, 'a request failed')
  else logger.warn(fields, problem.message)
}

/** What is no HTTP request never reaches a route: bytes that do not parse, headers too large, a client too slow. */
function refuseUnparsable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const body = JSON.stringify(problemBody(unparsableProblem(error.code)))
  if (socket.writable) {
    const { status } = unparsableProblem(error.code)
    const head = [
      `HTTP/1.1 ${status} ${REASONS[status] ?? 'Bad Request'}`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

const REASONS: Readonly<Record<number, string>> = { 408: 'Request Timeout', 431: 'Request Header Fields Too Large' }

function unparsableProblem(code: string | undefined): Problem {
  const kinds: Record<string, [ProblemKind, string]> = {
    HPE_HEADER_OVERFLOW: ['headers-too-large', 'The headers have more than 16 KiB. Send fewer or shorter ones.'],
    ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'The request did not arrive within 30 s. Send it again.'],
  }
  const [kind, detail] = kinds[code ?? ''] ?? [
    'invalid-request',
    'This is no valid HTTP request, e.g. a header holds a line break or a control character.',
  ]
  return new Problem(kind, detail)
}

import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Journal } from './journal.ts'
import { readRequest } from './otlp.ts'
import type { TraceStore } from './store.ts'

export const BODY_LIMIT: number = 32 << 20

/** OTLP over HTTP with a JSON body: `POST /v1/traces`. */
export function addIntake(app: FastifyInstance, store: TraceStore, journal: Journal): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.post('/v1/traces', async (request, reply) => {
    const text = await bodyText(request).catch(() => undefined)
    if (text === undefined)
      return reply.code(400).send({ code: 3, message: 'the body is not what content-encoding says' })
    let read
    try {
      read = readRequest(JSON.parse(text))
    } catch (error) {
      return reply.code(400).send({ code: 3, message: `not an OTLP trace export in JSON: ${(error as Error).message}` })
    }
    store.add(read.spans, Buffer.byteLength(text))
    await journal.append(text)
    const rejectedSpans = String(read.rejected)
    const why = 'spans without a valid trace id, span id, name, start or end'
    return reply.send({ partialSuccess: read.rejected > 0 ? { rejectedSpans, errorMessage: why } : {} })
  })

  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const status = error.statusCode ?? 500
    const message =
      status === 415
        ? 'this trace store takes OTLP as JSON only: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json, or run a Jaeger (JAEGER_BIN)'
        : error.message
    return reply.code(status).send({ code: status < 500 ? 3 : 13, message })
  })
}

async function bodyText(request: FastifyRequest): Promise<string> {
  const body = request.body as Buffer
  if (request.headers['content-encoding'] !== 'gzip') return body.toString('utf8')
  return (await promisify(gunzip)(body, { maxOutputLength: BODY_LIMIT })).toString('utf8')
}

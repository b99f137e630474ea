import type { FastifyInstance, FastifyReply } from 'fastify'
import { toResourceSpans } from './otlp.ts'
import { listPage, missingPage, tracePage } from './page.ts'
import { one, readSearch } from './query.ts'
import type { Query } from './query.ts'
import type { Trace, TraceStore } from './store.ts'

const LISTED = 200

/** What Jaeger 2 answers at the same paths, and two pages for people. */
export function addApi(app: FastifyInstance, store: TraceStore): void {
  app.get('/api/v3/services', async () => ({ services: store.services() }))

  app.get<{ Querystring: Query }>('/api/v3/operations', async ({ query }) => ({
    operations: store.operations(one(query['service']) ?? '', one(query['spanKind']) || undefined),
  }))

  app.get<{ Params: { id: string } }>('/api/v3/traces/:id', async ({ params }, reply) => {
    const id = traceId(params.id)
    if (!id) return refuse(reply, 400, 'malformed parameter trace_id: not a trace id in hexadecimal')
    const trace = store.get(id)
    return trace ? result([trace]) : refuse(reply, 404, 'No traces found')
  })

  app.get<{ Querystring: Query }>('/api/v3/traces', async ({ query }, reply) => {
    let search
    try {
      search = readSearch(query)
    } catch (error) {
      return refuse(reply, 400, (error as Error).message)
    }
    const found = store.find(search)
    return found.length > 0 ? result(found) : refuse(reply, 404, 'No traces found')
  })

  app.get<{ Params: { id: string } }>('/trace/:id', async ({ params }, reply) => {
    const trace = store.get(traceId(params.id) ?? '')
    return page(reply.code(trace ? 200 : 404), trace ? tracePage(trace) : missingPage(params.id))
  })

  app.get('/', async (_request, reply) => page(reply, listPage(store.newest(LISTED), store.stats)))
}

const result = (traces: readonly Trace[]): { result: object } => ({
  result: { resourceSpans: traces.flatMap(({ spans }) => toResourceSpans(spans.values())) },
})

function refuse(reply: FastifyReply, httpCode: number, message: string): FastifyReply {
  return reply.code(httpCode).send({ error: { httpCode, message } })
}

function page(reply: FastifyReply, html: string): FastifyReply {
  return reply
    .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    .type('text/html; charset=utf-8')
    .send(html)
}

/** Jaeger takes ids without their leading zeros, too. */
function traceId(text: string): string | undefined {
  return /^[0-9a-f]{1,32}$/i.test(text) ? text.toLowerCase().padStart(32, '0') : undefined
}

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type SentSpan = {
  name: string
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  attributes: { key: string; value: Record<string, unknown> }[]
}

export interface Collector extends AsyncDisposable {
  readonly url: string
  readonly spans: SentSpan[]
  /** Attributes of the resource of the last batch. */
  resource(): Record<string, unknown>
  /** Resolves once `count` spans are here; the test's own time-out bounds it. */
  received(count: number): Promise<SentSpan[]>
}

type Batch = { resourceSpans: { resource: SentSpan; scopeSpans: { spans: SentSpan[] }[] }[] }

/** A real OTLP/HTTP server that keeps what it gets; with `answer: false` it takes requests and never answers. */
export async function startCollector(options: { answer?: boolean } = {}): Promise<Collector> {
  const spans: SentSpan[] = []
  let resource: SentSpan['attributes'] = []
  const server = createServer((request, response) => {
    void take(request, response)
  })
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (options.answer === false) return
    for (const part of (JSON.parse(Buffer.concat(chunks).toString()) as Batch).resourceSpans) {
      resource = part.resource.attributes
      for (const scope of part.scopeSpans) spans.push(...scope.spans)
    }
    response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' }).end('{}')
    server.emit('taken')
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resource: () => attributesOf({ attributes: resource }),
    async received(count) {
      while (spans.length < count) await once(server, 'taken')
      return spans
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export function attributesOf({ attributes }: Pick<SentSpan, 'attributes'>): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

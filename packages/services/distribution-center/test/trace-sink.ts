import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export type Span = { name: string; kind: number; traceId: string; spanId: string; parentSpanId?: string }

/** An OTLP/HTTP collector that keeps what it gets. */
export interface TraceSink extends AsyncDisposable {
  readonly url: string
  readonly spans: Span[]
}

type Batch = { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }

export async function traceSink(): Promise<TraceSink> {
  const spans: Span[] = []
  const server = createServer((request, response) => {
    void json(request).then((batch) => {
      for (const { scopeSpans } of (batch as Batch).resourceSpans)
        spans.push(...scopeSpans.flatMap((scope) => scope.spans))
      return response.setHeader('content-type', 'application/json').end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}`, spans, [Symbol.asyncDispose]: close }
}

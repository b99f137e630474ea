import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { trace } from '@opentelemetry/api'
import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { startTelemetry, traceRequests, type Telemetry } from '../src/index.ts'
import { attributesOf, startCollector } from './collector.ts'

function quiet(endpoint: string | undefined, flushMs = 30_000): { telemetry: Telemetry; lines: string[] } {
  const lines: string[] = []
  const env = { LOG_LEVEL: 'debug', ...(endpoint === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }) }
  const logTo = { write: (line: string) => lines.push(line) }
  return { telemetry: startTelemetry({ service: 'orders', version: '1.2.3', env, logTo, flushMs }), lines }
}

/** A port of which it is certain that nobody listens: it was ours a moment ago. */
async function refusedUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

const spans = (count: number): void => {
  for (let n = 0; n < count; n++) trace.getTracer('test').startSpan(`span ${n}`).end()
}

test('a span arrives at the collector with the resource of its service', async () => {
  await using collector = await startCollector()
  await using _telemetry = quiet(collector.url).telemetry
  spans(1)
  expect(await collector.received(1)).toMatchObject([{ name: 'span 0' }])
  expect(collector.resource()).toMatchObject({ 'service.name': 'orders', 'service.version': '1.2.3' })
  expect(collector.resource()['host.name']).toBeTruthy()
})

test('disposing sends what is left, and the process can start again', async () => {
  await using collector = await startCollector()
  for (const count of [3, 6]) {
    const { telemetry } = quiet(collector.url)
    spans(3)
    await telemetry[Symbol.asyncDispose]()
    expect(collector.spans).toHaveLength(count)
  }
})

test('a burst of 8192 spans in one tick arrives whole, and what is beyond is counted', async () => {
  await using collector = await startCollector()
  const { telemetry, lines } = quiet(collector.url)
  // The first 1024 leave the queue at once, as a batch.
  spans(8192 + 1024 + 50)
  await telemetry[Symbol.asyncDispose]()
  expect(collector.spans).toHaveLength(8192 + 1024)
  expect((await telemetry.metrics.expose()).body).toContain('mesh_spans_dropped_total{reason="queue-full"} 50')
  expect(lines.filter((line) => line.includes('spans are lost'))).toHaveLength(1)
})

test.each(['refuses connections', 'never answers'])(
  'with a collector that %s the end is bounded, the loss counted',
  async (how) => {
    await using collector = await startCollector({ answer: false })
    const { telemetry, lines } = quiet(how === 'never answers' ? collector.url : await refusedUrl(), 300)
    spans(2500)
    const started = performance.now()
    await telemetry[Symbol.asyncDispose]()
    // The exporter alone takes 10 s.
    expect(performance.now() - started).toBeLessThan(5_000)
    const { body } = await telemetry.metrics.expose()
    const lost = [...body.matchAll(/mesh_spans_dropped_total\{.*\} (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
    expect(lost).toBe(2500)
    expect(lines.filter((line) => line.includes('spans are lost'))).toHaveLength(1)
  },
)

test('without a collector spans cost nothing and go nowhere', async () => {
  await using telemetry = quiet(undefined).telemetry
  expect(telemetry.tracing).toBe(false)
  expect(trace.getTracer('test').startSpan('x').isRecording()).toBe(false)
})

test('one trace runs from a caller through a Fastify handler to the partner it calls', async () => {
  await using collector = await startCollector()
  const { telemetry } = quiet(collector.url)
  let seen: string | undefined
  const partner = fastify()
  partner.post('/providers', (request) => {
    seen = request.headers['traceparent'] as string
    return { id: 'p-1' }
  })
  const partnerUrl = await partner.listen({ host: '127.0.0.1', port: 0 })
  const app = fastify()
  traceRequests(app, { metrics: telemetry.metrics })
  app.post('/centers/:id', async () => {
    const answer = await fetch(`${partnerUrl}/providers?token=abc12345`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    return answer.json()
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  // Sent outside any span, hence with no span of its own.
  const answer = await fetch(`${url}/centers/4711`, {
    method: 'POST',
    body: JSON.stringify({ padding: 'x'.repeat(200_000) }),
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  })
  expect(await answer.json()).toEqual({ id: 'p-1' })
  await app.close()
  await partner.close()
  const { body } = await telemetry.metrics.expose('application/openmetrics-text')
  await telemetry[Symbol.asyncDispose]()
  const server = collector.spans.find(({ name }) => name === 'POST /centers/:id')
  const client = collector.spans.find(({ name }) => name === 'POST')
  expect(collector.spans).toHaveLength(2)
  expect(server).toMatchObject({ kind: 2, traceId, parentSpanId: 'b7ad6b7169203331' })
  expect(client).toMatchObject({ kind: 3, traceId, parentSpanId: server?.spanId })
  expect(attributesOf(server!)['http.response.status_code']).toBe(200)
  expect(seen).toBe(`00-${traceId}-${client?.spanId}-01`)
  expect(body).toMatch(new RegExp(`http_server_request_duration_seconds_bucket.*trace_id="${traceId}"`))
})

test('a caller that hangs up ends the span of its request, as a failure', async () => {
  await using collector = await startCollector()
  const { telemetry } = quiet(collector.url)
  const app = fastify()
  traceRequests(app)
  const arrived = Promise.withResolvers<void>()
  app.get('/slow', () => {
    arrived.resolve()
    return new Promise(() => {})
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const hangUp = new AbortController()
  const call = fetch(`${url}/slow`, { signal: hangUp.signal }).catch(() => undefined)
  await arrived.promise
  hangUp.abort()
  await call
  const [span] = await collector.received(1)
  await telemetry[Symbol.asyncDispose]()
  await app.close()
  expect(span).toMatchObject({ name: 'GET /slow', status: { code: 2 } })
  expect(attributesOf(span!)['error.type']).toBe('hung_up')
})

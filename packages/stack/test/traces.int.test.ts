import { appendFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { startTraces } from '../src/index.ts'
import type { TracesServer } from '../src/index.ts'
import { request, span, spanId, TRACE } from './fixtures/spans.ts'
import { tempDir } from './fixtures/temp-dir.ts'

/** Without a Jaeger, whatever the machine has. */
const BUILT_IN = { env: { PATH: '/nonexistent' } }
const JSON_TYPE = { 'content-type': 'application/json' }

async function send(traces: TracesServer, body: object): Promise<Response> {
  return fetch(`${traces.otlpUrl}/v1/traces`, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) })
}

async function get(traces: TracesServer, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${traces.queryUrl}${path}`)
  return { status: response.status, body: await response.json() }
}

test('what is exported comes back from the query API in Jaeger’s shape', async () => {
  await using traces = await startTraces(BUILT_IN)
  const root = span('1', 'POST /centers', { kind: 2, ms: 50 })
  const publish = span('2', 'publish', { parentSpanId: spanId('1'), kind: 4, atMs: 5 })
  const sent = await send(traces, request('shop', root, publish))
  expect(await sent.json()).toEqual({ partialSuccess: {} })

  const { body } = await get(traces, `/api/v3/traces/${TRACE}`)
  expect(body).toEqual({ result: request('shop', root, publish) })
  expect((await get(traces, '/api/v3/services')).body).toEqual({ services: ['shop'] })
  expect((await get(traces, '/api/v3/operations?service=shop')).body).toEqual({
    operations: [
      { name: 'POST /centers', spanKind: 'server' },
      { name: 'publish', spanKind: 'producer' },
    ],
  })
  const times = 'query.startTimeMin=2025-01-01T00:00:00Z&query.startTimeMax=2026-01-01T00:00:00Z'
  const found = await get(traces, `/api/v3/traces?query.serviceName=shop&${times}`)
  expect(found.body).toEqual(body)
  expect((await get(traces, `/api/v3/traces?query.serviceName=none&${times}`)).status).toBe(404)
  expect(await get(traces, '/api/v3/traces?query.serviceName=shop')).toEqual({
    status: 400,
    body: { error: { httpCode: 400, message: 'query.startTimeMin and query.startTimeMax are required' } },
  })
})

test('with a folder, traces survive SIGKILL, and a line cut short by it does no harm', async () => {
  await using dir = await tempDir()
  const options = { ...BUILT_IN, dataDir: dir.path }
  const first = await startTraces(options)
  await send(first, request('shop', span('1', 'before')))
  first.kill()
  await first.exited
  await appendFile(`${dir.path}/spans.ndjson`, '{"resourceSpans":[{"resou')

  const second = await startTraces(options)
  await send(second, request('shop', span('2', 'after')))
  await second.stop()
  await using third = await startTraces(options)
  expect((await get(third, `/api/v3/traces/${TRACE}`)).body).toEqual({
    result: request('shop', span('1', 'before'), span('2', 'after')),
  })
})

test('protobuf is refused with a sentence that says what to set, and nonsense with what is wrong', async () => {
  await using traces = await startTraces(BUILT_IN)
  const url = `${traces.otlpUrl}/v1/traces`
  const headers = { 'content-type': 'application/x-protobuf' }
  const protobuf = await fetch(url, { method: 'POST', headers, body: 'x' })
  expect(protobuf.status).toBe(415)
  expect(await protobuf.json()).toMatchObject({
    message: expect.stringContaining('OTEL_EXPORTER_OTLP_PROTOCOL=http/json') as string,
  })
  for (const body of ['{', '[]', '{"resourceSpans":{}}']) {
    expect((await fetch(url, { method: 'POST', headers: JSON_TYPE, body })).status).toBe(400)
  }
  const halfGood = await send(traces, request('shop', span('1', 'good'), span('2', 'bad', { traceId: 'short' })))
  expect(await halfGood.json()).toMatchObject({ partialSuccess: { rejectedSpans: '1' } })
})

test('compressed exports are read', async () => {
  await using traces = await startTraces(BUILT_IN)
  const sent = await fetch(`${traces.otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify(request('shop', span('1', 'small')))),
  })
  expect(sent.status).toBe(200)
  expect((await get(traces, '/api/v3/services')).body).toEqual({ services: ['shop'] })
})

test('the page of a trace shows its spans, without scripts and with nothing taken from a span as HTML', async () => {
  await using traces = await startTraces(BUILT_IN)
  const status = { code: 2, message: '<img src=x onerror=alert(1)>' }
  await send(traces, request('shop', span('1', 'POST <b>'), span('2', 'call', { parentSpanId: spanId('1'), status })))
  const response = await fetch(traces.traceLink(TRACE))
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  const page = await response.text()
  expect(page).toContain('POST &lt;b&gt;')
  expect(page).toContain('&lt;img src=x')
  expect(page).not.toMatch(/<script|<img|<b>"/)
  expect(await (await fetch(traces.queryUrl)).text()).toContain(`/trace/${TRACE}`)
  expect((await fetch(traces.traceLink('ab'))).status).toBe(404)
})

test('a taken port is an error that names the port and the flag', async () => {
  await using traces = await startTraces(BUILT_IN)
  const port = Number(new URL(traces.otlpUrl).port)
  await expect(startTraces({ ...BUILT_IN, port })).rejects.toMatchObject({
    code: 'STACK_PORT_TAKEN',
    port,
    message: expect.stringContaining('--otlp-port') as string,
  })
})

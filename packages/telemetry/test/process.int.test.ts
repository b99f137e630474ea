import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { startCollector } from './collector.ts'

const secrets = {
  NATS_PASSWORD: 'hunter2-nats',
  NATS_URL: 'nats://me:url-secret@127.0.0.1:4222',
  NATS_TOKEN: 'bare-token-1',
}

/** A service process of its own: what it writes, and its exit code. */
async function runService(
  env: Record<string, string>,
): Promise<{ code: number; lines: Record<string, unknown>[]; raw: string }> {
  const script = new URL('service-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script], { env: { ...process.env, ...secrets, ...env } })
  let raw = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (raw += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  expect(err).toBe('')
  const lines = raw.match(/^.+$/gm)?.map((line) => JSON.parse(line) as Record<string, unknown>) ?? []
  return { code, lines, raw }
}

test('a process writes JSON lines only, with trace ids and without a single secret', async () => {
  await using collector = await startCollector()
  const { code, lines, raw } = await runService({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  expect(code).toBe(0)
  expect(lines.length).toBeGreaterThan(3)
  for (const secret of ['hunter2-nats', 'url-secret', 'bare-token-1', 'in-field']) expect(raw).not.toContain(secret)
  const inSpan = lines.find(({ msg }) => msg === 'inside a span')
  expect(inSpan).toMatchObject({ level: 'info', name: 'probe', trace_id: expect.stringMatching(/^[\da-f]{32}$/) })
  expect(collector.spans.find(({ name }) => name === 'work')).toMatchObject({ traceId: inSpan?.['trace_id'] })
})

test('an HTTP call within a span is its child', async () => {
  await using collector = await startCollector()
  await runService({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const work = collector.spans.find(({ name }) => name === 'work')
  expect(collector.spans.find(({ name }) => name === 'POST')).toMatchObject({ kind: 3, parentSpanId: work?.spanId })
})

test('a collector that never answers does not keep a finished process', async () => {
  await using collector = await startCollector({ answer: false })
  const { code, lines } = await runService({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const ended = Date.now()
  expect(code).toBe(0)
  // Counted from its last work, as a start takes what it takes. 3 s of flushing; the exporter by itself would stay 10 s.
  const worked = lines.find(({ msg }) => msg === 'inside a span')?.['time']
  expect(ended - new Date(worked as string | number).getTime()).toBeLessThan(9_000)
  expect(lines.some(({ msg }) => String(msg).startsWith('spans are lost'))).toBe(true)
})

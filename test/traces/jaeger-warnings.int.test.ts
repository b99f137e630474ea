import { startTraces } from '@malha/stack'
import { eventually } from '@malha/testing'
import { describe, expect, test } from 'vitest'
import { findTool } from '../monitoring/binaries.ts'
import { jaegerWarnings, writtenWarnings } from './jaeger-warnings.ts'
import { plants, plantTrace } from './plants.ts'
import { sendSpans } from './send-spans.ts'
import { readTrace, type TraceSpan } from './trace.ts'

const bin = findTool('jaeger')

describe.skipIf(bin === undefined)('a real Jaeger', () => {
  test('warns of what the rules here say, and of nothing else', async () => {
    await using traces = await startTraces({ env: { ...process.env, JAEGER_BIN: bin } })
    expect(traces.backend).toBe('jaeger')
    for (const [title, spans] of plants) {
      const trace = plantTrace(spans)
      const shown = await stored(traces, trace)
      const written = new Map<string, unknown[]>()
      for (const span of shown)
        if (writtenWarnings(span).length > 0)
          written.set(span.spanId, [...(written.get(span.spanId) ?? []), ...writtenWarnings(span)])
      expect([title, written]).toEqual([title, jaegerWarnings(trace)])
    }
  })
})

async function stored(
  { otlpUrl, queryUrl }: { otlpUrl: string; queryUrl: string },
  trace: readonly TraceSpan[],
): Promise<TraceSpan[]> {
  await sendSpans(otlpUrl, trace)
  return await eventually(async () => {
    const shown = await readTrace(queryUrl, trace[0]!.traceId)
    expect(shown).toHaveLength(trace.length)
    return shown
  })
}

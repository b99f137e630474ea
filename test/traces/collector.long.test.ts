import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '@malha/stack'
import { eventually } from '@malha/testing'
import { describe, expect, test } from 'vitest'
import { findTool } from '../monitoring/binaries.ts'
import { collectorFile, deployFile, jaegerFiles } from './deployed.ts'
import { plantTrace } from './plants.ts'
import { sendSpans } from './send-spans.ts'
import { startDeployed } from './start-deployed.ts'
import { readTrace, type TraceSpan } from './trace.ts'

const jaeger = findTool('jaeger')
const collector = findTool('otelcol-contrib')
/** What a trace is judged after, and a little. */
const JUDGED = { timeoutMs: 90_000, intervalMs: 500 }
const QUIET = 500

describe.skipIf(jaeger === undefined)('the collector as it is deployed', () => {
  test(
    'keeps what fails or is slow whole, also what goes on later, and a tenth of the rest',
    { timeout: 300_000 },
    async () => {
      await using pipeline = await startPipeline()
      const { send, read } = pipeline
      const quiet = many(QUIET, () => hops())
      const fails = many(10, () => hops(2, { failed: true }))
      const slow = many(10, () => hops(2, { from: 3_000, to: 3_010 }))
      const retried = many(10, () => retries())
      const failsLater = many(10, () => hops(2, { failed: true }))
      const waitsLater = many(10, () => hops(2, { attributes: { 'messaging.nats.time_in_stream_ms': 3_600_000 } }))
      const markedLater = many(10, () => hops(2, { attributes: { 'messaging.operation.name': 'replay' } }))
      const last = many(1, () => hops(2, { failed: true }))
      const goesOn = many(10, () => hops(1, { failed: true }))

      // A process sends its spans a second after they ended, and a later hop later than one before.
      for (const part of [0, 1, 2]) {
        await send([...fails, ...slow, ...retried].flatMap((trace) => trace.slice(part, part + 1)))
        await sleep(2_000)
      }
      await send([...fails, ...slow, ...retried].flatMap((trace) => trace.slice(3)))
      await send([...failsLater, ...waitsLater, ...markedLater].flatMap((trace) => trace.slice(0, 2)))
      await send(goesOn.flatMap((trace) => trace.slice(0, 2)))
      // Judged after the others, so that none of those is the last that was not kept.
      await sleep(3_000)
      await send([...quiet, ...last].flat())
      for (const trace of [...fails, ...slow, ...retried, ...last])
        await eventually(async () => expect(await read(trace)).toEqual(namesOf(trace)), JUDGED)
      for (const trace of goesOn)
        await eventually(async () => expect(await read(trace)).toEqual(namesOf(trace.slice(0, 2))), JUDGED)

      await send([...failsLater, ...waitsLater, ...markedLater, ...goesOn].flatMap((trace) => trace.slice(2)))
      for (const trace of goesOn)
        await eventually(async () => expect(await read(trace)).toEqual(namesOf(trace)), JUDGED)
      const endsOf = async (traces: readonly TraceSpan[][]): Promise<number> =>
        (await Promise.all(traces.map(read))).filter((names) => names.includes('span 2')).length
      const ends = async (): Promise<number[]> => Promise.all([failsLater, waitsLater, markedLater].map(endsOf))
      await eventually(async () => expect(await ends()).toEqual([10, 10, 10]), JUDGED)

      const kept = (await Promise.all(quiet.map(read))).filter((names) => names.length > 0)
      expect(kept.every((names) => names.length === 3)).toBe(true)
      expect(kept.length).toBeGreaterThan(QUIET * 0.04)
      expect(kept.length).toBeLessThan(QUIET * 0.18)
    },
  )
})

const many = (count: number, make: () => TraceSpan[]): TraceSpan[][] => Array.from({ length: count }, make)
const namesOf = (trace: readonly TraceSpan[]): string[] => trace.map(({ name }) => name).toSorted()

/** Three hops of ten milliseconds, of which one is otherwise. */
function hops(other = -1, otherwise: Partial<TraceSpan> & { from?: number; to?: number } = {}): TraceSpan[] {
  return plantTrace(
    [0, 1, 2].map((at) => ({ host: 'one', from: at * 20, to: at * 20 + 10, ...(at === other && otherwise) })),
  )
}

/** An attempt that fails, and one that ends well. */
function retries(): TraceSpan[] {
  const consumer = (attempt: number, failed: boolean): Partial<TraceSpan> => ({
    kind: 'consumer',
    failed,
    attributes: { 'mesh.attempt': attempt },
  })
  return plantTrace([
    { host: 'one', from: 0, to: 10 },
    { host: 'one', from: 20, to: 30, ...consumer(1, true) },
    { host: 'one', from: 600, to: 610, ...consumer(2, false) },
    { host: 'one', from: 620, to: 630 },
  ])
}

interface Pipeline extends AsyncDisposable {
  readonly send: (spans: readonly TraceSpan[]) => Promise<void>
  /** Names of the spans of a trace that came through. */
  readonly read: (trace: readonly TraceSpan[]) => Promise<string[]>
}

/** The collector before Jaeger, with the files of Kubernetes. Jaeger is a collector too: it stands in where no other is given. */
async function startPipeline(): Promise<Pipeline> {
  await using opening = new AsyncDisposableStack()
  const [grpc, query, queryGrpc, health, metrics, otlp, collectorHealth, collectorMetrics] = await freePorts(8)
  const at = (port: number | undefined): string => `127.0.0.1:${port}`
  opening.use(
    await startDeployed({
      bin: jaeger!,
      files: jaegerFiles['Kubernetes, memory'],
      swap: {
        '0.0.0.0:4317': at(grpc),
        '0.0.0.0:16686': at(query),
        '0.0.0.0:16685': at(queryGrpc),
        '0.0.0.0:13133': at(health),
        'host: 0.0.0.0, port: 8888': `host: 127.0.0.1, port: ${metrics}`,
        '/etc/jaeger/ui.json': deployFile('overlays/production/jaeger-ui.json'),
      },
      readyUrl: `http://${at(health)}/status`,
    }),
  )
  // The one part that Jaeger has by another name.
  const ownHealth = 'health_check: { endpoint: 0.0.0.0:13133 }'
  const jaegersHealth = `healthcheckv2: { use_v2: true, http: { endpoint: ${at(collectorHealth)} } }`
  opening.use(
    await startDeployed({
      bin: collector ?? jaeger!,
      files: [collectorFile],
      swap: {
        ...(collector === undefined
          ? { [ownHealth]: jaegersHealth, '[health_check]': '[healthcheckv2]' }
          : { '0.0.0.0:13133': at(collectorHealth) }),
        '0.0.0.0:4318': at(otlp),
        'host: 0.0.0.0, port: 8888': `host: 127.0.0.1, port: ${collectorMetrics}`,
        'jaeger.observability.svc.cluster.local:4317': at(grpc),
      },
      readyUrl: `http://${at(collectorHealth)}${collector === undefined ? '/status' : '/'}`,
    }),
  )
  const all = opening.move()
  return {
    send: (spans) => sendSpans(`http://${at(otlp)}`, spans),
    read: async ([first]) => namesOf(await readTrace(`http://${at(query)}`, first!.traceId)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import type * as Hooks from '@opentelemetry/context-async-hooks'
import type * as Core from '@opentelemetry/core'
import type * as Otlp from '@opentelemetry/exporter-trace-otlp-http'
import type * as Undici from '@opentelemetry/instrumentation-undici'
import type * as Resources from '@opentelemetry/resources'
import type * as Sdk from '@opentelemetry/sdk-trace'
import { collectorAgent } from './collector-agent.ts'
import type { ResolvedTracing, Sampling } from './options.ts'
import type { LossReason, SpanQueueOptions } from './span-queue.ts'
import { SpanQueue } from './span-queue.ts'

/** A burst of this many spans in one tick is not lost; eight batches stay below the exporter's limit of 30 at once. */
const QUEUE = { maxQueueSize: 8192, maxExportBatchSize: 1024, scheduledDelayMillis: 1000 }

export type TracingOptions = {
  tracing: ResolvedTracing
  redact: (text: string) => string
  onLost(count: number, reason: LossReason): void
  onSent(): void
}

export type Tracing = {
  /** Sends what is left, for `ms` at most; what has not left by then is counted as lost. Never rejects. */
  stop(ms: number): Promise<void>
}

/**
 * Loaded only when there is a collector: 10 MB and 100 ms that a process without one does not pay. `require`, so that
 * starting stays synchronous and the first span of the process is not missed.
 */
const load = createRequire(import.meta.url)

/** Registers the OpenTelemetry SDK for this process: spans of the mesh and of every HTTP call, to one OTLP/HTTP collector. */
export function startTracing(options: TracingOptions): Tracing {
  const { tracing, redact } = options
  const { TracerProvider, BatchSpanProcessor } = load('@opentelemetry/sdk-trace') as typeof Sdk
  const { AsyncLocalStorageContextManager } = load('@opentelemetry/context-async-hooks') as typeof Hooks
  const { resourceFromAttributes } = load('@opentelemetry/resources') as typeof Resources
  const { OTLPTraceExporter } = load('@opentelemetry/exporter-trace-otlp-http') as typeof Otlp
  const agent = collectorAgent(tracing.url)
  const exporter = new OTLPTraceExporter({ url: tracing.url, httpAgentOptions: () => agent.agent })
  const lost: SpanQueueOptions = { ...options, exporter, size: QUEUE.maxQueueSize }
  const queue = new SpanQueue(lost).through((to) => new BatchSpanProcessor({ ...QUEUE, exporter: to }))
  const provider = new TracerProvider({
    resource: resourceFromAttributes(tracing.resource),
    sampler: sampler(tracing.sampling),
    spanProcessors: [queue],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator(tracing.propagators))
  trace.setGlobalTracerProvider(provider)
  const stopHttp = traceHttpClients(redact)
  return {
    async stop(ms) {
      stopHttp()
      const timeUp = new AbortController()
      const flushed = provider.shutdown().catch(() => {})
      await Promise.race([flushed, delay(ms, undefined, timeUp)])
      timeUp.abort()
      queue.abandon()
      agent.close()
      trace.disable()
      context.disable()
      propagation.disable()
    },
  }
}

/** Spans of outgoing HTTP: global `fetch` and everything of npm's undici, through the diagnostics channels of both. */
function traceHttpClients(redact: (text: string) => string): () => void {
  const { UndiciInstrumentation } = load('@opentelemetry/instrumentation-undici') as typeof Undici
  const instrumentation = new UndiciInstrumentation({
    // A call outside any trace (a health check, a poll) is not worth a trace of its own.
    requireParentforSpans: true,
    startSpanHook: ({ origin, path }) => {
      const url = URL.parse(path, origin)
      return url ? { 'url.full': redact(url.href), 'url.query': redact(url.search) } : {}
    },
  })
  instrumentation.enable()
  return () => instrumentation.disable()
}

function sampler({ root, parentBased }: Sampling): Sdk.Sampler {
  const sdk = load('@opentelemetry/sdk-trace') as typeof Sdk
  const base =
    root === 'on'
      ? new sdk.AlwaysOnSampler()
      : root === 'off'
        ? new sdk.AlwaysOffSampler()
        : new sdk.TraceIdRatioBasedSampler(root)
  return parentBased ? new sdk.ParentBasedSampler({ root: base }) : base
}

function propagator(names: ResolvedTracing['propagators']): Core.CompositePropagator {
  const core = load('@opentelemetry/core') as typeof Core
  const made = { tracecontext: core.W3CTraceContextPropagator, baggage: core.W3CBaggagePropagator }
  return new core.CompositePropagator({ propagators: names.map((name) => new made[name]()) })
}
